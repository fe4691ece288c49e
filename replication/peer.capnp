@0xc2d7e5a1b3f40987;
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("starling::wire");
struct PeerMessage { version @0 :UInt16; }

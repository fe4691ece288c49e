@0xc2d7e5a1b3f40987;
# What members say to each other (peer_message.h explains each). A frame is the length of this
# structure (4 bytes, little endian), the structure, then the payload: the bytes of batches,
# chunks or a fragment one after another, cut apart by the lengths given in the structure. A
# change here raises kProtocolRange in peer_message.h; fields are only ever added.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("starling::wire");

struct PeerOrigin {
  node @0 :UInt64;
  incarnation @1 :UInt64;
}

struct PeerVectorEntry {
  node @0 :UInt64;
  incarnation @1 :UInt64;
  upto @2 :UInt64;
}

struct PeerClusterRecord {
  id @0 :UInt64;
  firstMembers @1 :List(Text);
  voters @2 :List(Text);
}

struct PeerHello {
  version @0 :UInt16;
  minimum @1 :UInt16;
  clusterName @2 :Text;
  clusterId @3 :UInt64;
  nodeName @4 :Text;
  incarnation @5 :UInt64;
  session @6 :UInt64;
  nonce @7 :Data;
  wallMillis @8 :Int64;
  clock @9 :UInt64;
  address @10 :Text;
  members @11 :UInt32;
  bootId @12 :Text;
  process @13 :Text;
}

struct PeerReport {
  sequence @0 :UInt64;
  round @1 :Bool;
  full @2 :Bool;
  origin @3 :PeerOrigin;
  vector @4 :List(PeerVectorEntry);
  floor @5 :List(PeerVectorEntry);
  listDigest @6 :UInt64;
  clock @7 :UInt64;
  promised @8 :UInt64;
  leads @9 :UInt64;
  asks @10 :Bool;
}

struct PeerMemberUpdate {
  name @0 :Text;
  address @1 :Text;
  incarnation @2 :UInt64;
  state @3 :UInt8;
  by @4 :Text;
}

struct PeerLease {
  kind @0 :UInt8;        # the place in LeaseMessage (lease_message.h)
  epoch @1 :UInt64;
  number @2 :UInt64;     # attempt, sequence, or the incarnation that asked
  voters @3 :UInt64;
  promised @4 :UInt64;
  trial @5 :Bool;
  recovering @6 :Bool;
  reason @7 :UInt8;
  incarnation @8 :UInt64;
  resumedWith @9 :List(PeerOrigin);
  vector @10 :List(PeerVectorEntry);
}

struct PeerForwarding {
  kind @0 :UInt8;        # the place in ForwardingMessage (forwarding_message.h)
  doneBelow @1 :UInt64;
  ids @2 :List(UInt64);
  clients @3 :List(UInt64);
  outcomes @4 :List(UInt8);
  origin @5 :PeerOrigin;
  upto @6 :UInt64;
}

struct PeerMessage {
  version @0 :UInt16;
  payload @1 :List(UInt64);   # lengths
  union {
    hello @2 :PeerHello;
    proof @3 :Data;
    refusal :group {
      code @4 :UInt8;
      text @5 :Text;
    }
    fragment :group {
      message @6 :UInt64;
      index @7 :UInt32;
      count @8 :UInt32;
    }
    batches @9 :Void;
    want :group {
      origin @10 :PeerOrigin;
      after @11 :UInt64;
    }
    report @12 :PeerReport;
    walkHint @13 :Void;
    walkRequest :group {
      walk @14 :UInt64;
      whole @15 :Bool;
      covered @16 :List(PeerVectorEntry);
    }
    walkPart :group {
      walk @17 :UInt64;
      index @18 :UInt32;
      whole @19 :Bool;
      last @20 :Bool;
    }
    walkCredit :group {
      walk @21 :UInt64;
      received @22 :UInt32;
    }
    walkAbort :group {
      walk @23 :UInt64;
      reason @24 :Text;
    }
    swim :group {
      kind @25 :UInt8;
      sequence @26 :UInt64;
      target @27 :Text;
      updates @28 :List(PeerMemberUpdate);
    }
    clusterAnnounce :group {
      record @29 :PeerClusterRecord;
      forgotten @30 :Bool;
      ended @31 :UInt64;
      ends @32 :List(PeerVectorEntry);
    }
    creationOffer :group {
      expect @33 :UInt32;
    }
    creationProposal :group {
      record @34 :PeerClusterRecord;
    }
    creationAccept :group {
      id @35 :UInt64;
    }
    beginRequest :group {
      name @36 :Text;
      incarnation @37 :UInt64;
    }
    forgetRequest :group {
      names @38 :List(Text);
      begun @43 :List(UInt64);
    }
    forgetReport :group {
      names @39 :List(Text);
      held @40 :List(PeerVectorEntry);
      begun @44 :List(UInt64);
    }
    lease @41 :PeerLease;
    forwarding @42 :PeerForwarding;
  }
}

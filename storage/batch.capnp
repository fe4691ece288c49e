@0xb1f6c6b0a7c9d3e1;
# What one origin changed between two flushes (DESIGN.md section 4): the same bytes go to the log,
# to the peers and to the Redis bridge. Also carries walks and whole states (section 5), whose items
# come from several origins. A change of this format raises kBatchFormatVersion in batch_codec.h.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("starling::wire");

struct Origin {
  node @0 :UInt64;
  incarnation @1 :UInt64;
}

struct VectorEntry {
  origin @0 :Origin;
  upto @1 :UInt64;
}

# Key, element and payload bytes of all items stand one after another in Batch.texts, in item order;
# the lengths here cut them apart.
struct Item {
  stamp @0 :UInt64;
  at @1 :UInt64;              # cut, born, or granted
  number @2 :UInt64;          # low 64 bits of a number's units, a deadline, or a time to live
  part @3 :UInt8;
  database @4 :UInt8;
  elementType @5 :UInt8;
  flags @6 :UInt8;            # 1 removed, 2 payload is bytes, 4 payload is a number, 8 has Wide
  keyLength @7 :UInt32;
  elementLength @8 :UInt32;
  payloadLength @9 :UInt32;
  origin @10 :UInt16;         # index into Batch.origins
  scale @11 :UInt8;
  wide @12 :UInt32;           # with flag 8: index into Batch.wide
}

struct Batch {
  version @0 :UInt16;
  kind @1 :Kind;
  after @2 :UInt64;
  upto @3 :UInt64;
  origins @4 :List(Origin);   # for a stream batch: exactly its origin
  items @5 :List(Item);
  texts @6 :List(Data);       # cut every 256 MiB, since one list cannot hold 512 MiB
  wide @7 :List(Int64);       # high 64 bits of numbers that need them
  vector @8 :List(VectorEntry);  # of the last chunk of a walk or whole state

  enum Kind {
    stream @0;
    chunk @1;
  }
}

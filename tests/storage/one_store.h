/// A store on a disk that can be taken down at any call, with one-line reads and writes.
#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <memory>
#include <sstream>
#include <string>

#include "storage/store.h"
#include "tests/storage/one_node.h"
#include "tests/support/memory_engine.h"

namespace starling {

/// Not thread-safe but for `store`.
struct OneStore {
  explicit OneStore(const std::string& name = "a", uint64_t seed = 1)
      : disk(std::make_unique<MemoryDisk>(seed)) {
    options.name = name;
    options.keyspace = {4, 99};
    options.boot_id = "boot 1";
    options.folder_identity = "folder 1";
    options.appendfsync = AppendFsync::kNo;
  }

  /// Opens the disk, ending what was open before as `kill -9` does.
  Status Open() {
    Kill(CrashKind::kKill);
    Result<std::unique_ptr<Engine>> engine = disk->Open();
    if (!engine) return engine.error();
    return Open(std::move(*engine));
  }
  Status Open(std::unique_ptr<Engine> engine) {
    Result<std::unique_ptr<Store>> opened =
        Store::Open(options, std::move(engine), time,
                    std::make_shared<spdlog::logger>(
                        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
    if (!opened) return opened.error();
    store = std::move(*opened);
    return {};
  }
  void Kill(CrashKind kind) {
    if (store != nullptr) disk->Crash(kind);
    store.reset();
  }

  KeyRef Ref(std::string_view key) { return store->keyspace().Ref(0, key); }
  Access Lock(std::string_view key) { return store->keyspace().Lock(Ref(key)); }
  void Set(std::string_view key, std::string_view text) { Lock(key).SetString(Ref(key), text); }
  bool Delete(std::string_view key) { return Lock(key).Delete(Ref(key)); }
  void Increment(std::string_view key, int64_t by = 1) {
    if (!Lock(key).Increment(Ref(key), by)) std::abort();
  }
  void Add(std::string_view key, std::string_view member) {
    Lock(key).AddElement(Ref(key), ElementType::kSet, member);
  }
  void Remove(std::string_view key, std::string_view member) {
    Lock(key).RemoveElement(Ref(key), ElementType::kSet, member);
  }
  std::optional<std::string> Get(std::string_view key) {
    Access access = Lock(key);
    const std::optional<KeyView> view = access.Find(Ref(key));
    if (!view || view->type != KeyType::kString) return std::nullopt;
    std::string buffer;
    return std::string(view->Text(buffer));
  }
  std::set<std::string> Members(std::string_view key) {
    std::set<std::string> members;
    Lock(key).ForEachElement(Ref(key), ElementType::kSet,
                             [&](std::string_view id, const Value&) { members.emplace(id); });
    return members;
  }
  std::multiset<std::string> Walk() { return WalkText(store->keyspace()); }

  /// As if every member held what this one does, and had passed it.
  Keyspace::Stability AllStable() const { return {store->vector(), Stamp{UINT64_MAX}}; }
  size_t FreeAll() { return store->keyspace().FreeStable(AllStable(), SIZE_MAX); }

  /// Applies `bytes` as it came from a peer.
  Result<bool> Apply(const SharedBytes& bytes) {
    return store->ApplyBatch(*DecodedBatch::Decode(*bytes), *bytes);
  }
  /// The walk of `from`, as a peer that holds `covered` receives it.
  static std::vector<std::string> WalkOf(Store& from, const VersionVector& covered) {
    std::vector<std::string> chunks;
    WalkPosition position;
    while (!position.done) chunks.push_back(from.WalkChunk(position, covered, 500));
    chunks.push_back(EncodeChunk({}, from.vector()));
    return chunks;
  }

  std::unique_ptr<MemoryDisk> disk;
  ManualTime time;
  StoreOptions options;
  std::ostringstream log;
  std::unique_ptr<Store> store;
};

}  // namespace starling

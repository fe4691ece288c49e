#include "server/process_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "server/io_thread.h"

namespace starling {

ResidentMemory ReadResidentMemory() {
  ResidentMemory memory;
  std::ifstream status("/proc/self/status");
  std::string field;
  while (status >> field) {
    uint64_t kilobytes = 0;
    if (field == "VmHWM:" && status >> kilobytes) memory.peak = kilobytes << 10;
    if (field == "VmRSS:" && status >> kilobytes) memory.now = kilobytes << 10;
  }
  return memory;
}

MemoryFigures MemoryOf(const SharedState& shared) {
  const ResidentMemory resident = ReadResidentMemory();
  MemoryFigures figures;
  figures.used = resident.now;
  figures.peak = std::max(resident.peak, resident.now);
  figures.startup = shared.startup_memory;
  figures.keyspace = shared.store.keyspace().memory_bytes();
  for (const std::unique_ptr<IoThread>& thread : shared.threads) {
    figures.clients += thread->statistics().input_buffers.get();
    figures.clients += thread->statistics().output_buffers.get();
  }
  figures.system = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                   static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return figures;
}

}  // namespace starling

#include "server/shared_state.h"

#include "server/io_thread.h"

namespace starling {

SharedState::SharedState(Runtime& the_runtime, Settings settings, std::string config_file,
                         std::shared_ptr<spdlog::logger> the_log)
    : runtime(the_runtime),
      store(the_runtime.store()),
      levels(*LevelRules::Parse(settings.level)),  // as the options have checked
      orders(std::make_unique<OrderExecutor>(the_runtime, commands, scripting, the_log,
                                             *ClaimPatterns::Parse(settings.claims))),
      config(std::move(settings), std::move(config_file)),
      log(std::move(the_log)) {}

SharedState::~SharedState() = default;

void SharedState::SampleRates(std::chrono::nanoseconds now) {
  Sample sample{now};
  for (const std::unique_ptr<IoThread>& thread : threads) {
    sample.commands += thread->statistics().commands_processed.get();
    sample.bytes_in += thread->statistics().bytes_in.get();
    sample.bytes_out += thread->statistics().bytes_out.get();
  }
  const double seconds = std::chrono::duration<double>(now - last_sample_.at).count();
  const auto rate = [seconds](uint64_t before, uint64_t after) {
    // CONFIG RESETSTAT sets back to zero.
    return after < before ? 0
                          : static_cast<uint64_t>(static_cast<double>(after - before) / seconds);
  };
  if (last_sample_.at.count() != 0) {
    rates.commands.Set(rate(last_sample_.commands, sample.commands));
    rates.bytes_in.Set(rate(last_sample_.bytes_in, sample.bytes_in));
    rates.bytes_out.Set(rate(last_sample_.bytes_out, sample.bytes_out));
  }
  last_sample_ = sample;
}

}  // namespace starling

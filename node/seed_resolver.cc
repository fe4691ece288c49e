#include "node/seed_resolver.h"

#include <algorithm>

namespace starling {
namespace {

constexpr size_t kMaxNames = 256;
constexpr size_t kMaxAddressesPerName = 256;

}  // namespace

SeedResolver::SeedResolver(asio::io_context& io, std::chrono::milliseconds interval, Found found,
                           std::shared_ptr<spdlog::logger> log)
    : resolver_(io),
      timer_(io),
      interval_(interval),
      found_(std::move(found)),
      log_(std::move(log)) {}

void SeedResolver::Add(const Endpoint& endpoint) {
  const bool known = std::any_of(names_.begin(), names_.end(),
                                 [&](const Name& name) { return name.endpoint == endpoint; });
  if (stopped_ || known || names_.size() >= kMaxNames) return;
  names_.push_back(Name{endpoint, {}, false});
  Resolve(names_.size() - 1);
  if (names_.size() == 1) Round();
}

void SeedResolver::Stop() {
  stopped_ = true;
  timer_.cancel();
  resolver_.cancel();
}

void SeedResolver::Round() {
  timer_.expires_after(interval_);
  timer_.async_wait([this, alive = std::weak_ptr(alive_)](const asio::error_code& error) {
    if (error || alive.expired() || stopped_) return;
    for (size_t index = 0; index < names_.size(); ++index) Resolve(index);
    Round();
  });
}

void SeedResolver::Resolve(size_t index) {
  const Endpoint& endpoint = names_[index].endpoint;
  resolver_.async_resolve(
      endpoint.host, std::to_string(endpoint.port),
      [this, index, alive = std::weak_ptr(alive_)](
          const asio::error_code& error, const asio::ip::tcp::resolver::results_type& results) {
        if (alive.expired() || stopped_) return;
        Name& name = names_[index];
        if (error) {
          // Said once per outage: the name is asked for again anyway.
          if (!std::exchange(name.failed, true)) {
            log_->warn("seed does not resolve: name={} reason={}", name.endpoint.host,
                       error.message());
          }
          return;
        }
        name.failed = false;
        std::vector<Address> addresses;
        for (const auto& entry : results) {
          if (addresses.size() >= kMaxAddressesPerName) break;
          addresses.push_back(
              FormatEndpoint({entry.endpoint().address().to_string(), entry.endpoint().port()}));
        }
        std::sort(addresses.begin(), addresses.end());
        addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
        if (addresses == name.last) return;
        name.last = addresses;
        found_(addresses);
      });
}

}  // namespace starling

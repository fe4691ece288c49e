#include <algorithm>

#include "replication/limits.h"
#include "replication/peer_codec_parts.h"

namespace starling::wire {
namespace {

struct Build {
  PeerForwarding::Builder builder;
  std::vector<std::string_view>& payload;

  void operator()(const Orders& m) {
    builder.setDoneBelow(m.done_below);
    auto ids = builder.initIds(m.orders.size());
    auto clients = builder.initClients(m.orders.size());
    for (size_t i = 0; i < m.orders.size(); ++i) {
      ids.set(i, m.orders[i].id);
      clients.set(i, m.orders[i].client);
      payload.push_back(m.orders[i].request);
    }
  }
  void operator()(const Answers& m) {
    BuildOrigin(builder.initOrigin(), m.origin);
    builder.setUpto(m.upto.value);
    auto ids = builder.initIds(m.answers.size());
    auto outcomes = builder.initOutcomes(m.answers.size());
    for (size_t i = 0; i < m.answers.size(); ++i) {
      ids.set(i, m.answers[i].id);
      outcomes.set(i, static_cast<uint8_t>(m.answers[i].outcome));
      payload.push_back(m.answers[i].reply);
    }
  }
  void operator()(const ClientsGone& m) {
    auto clients = builder.initClients(m.clients.size());
    for (size_t i = 0; i < m.clients.size(); ++i) clients.set(i, m.clients[i]);
  }
};

Orders ReadOrders(PeerForwarding::Reader reader, const std::vector<std::string_view>& payload) {
  // Each list is taken once: its bounds are counted against what a reader may look at.
  const auto ids = reader.getIds();
  const auto clients = reader.getClients();
  Require(ids.size() == payload.size() && clients.size() == payload.size(),
          "orders without one request each");
  Orders orders;
  orders.done_below = reader.getDoneBelow();
  for (size_t i = 0; i < payload.size(); ++i) {
    const auto place = static_cast<uint32_t>(i);
    orders.orders.push_back({ids[place], clients[place], payload[i]});
  }
  return orders;
}

Answers ReadAnswers(PeerForwarding::Reader reader, const std::vector<std::string_view>& payload) {
  const auto ids = reader.getIds();
  const auto outcomes = reader.getOutcomes();
  Require(ids.size() == payload.size() && outcomes.size() == payload.size(),
          "answers without one reply each");
  Answers answers;
  answers.origin = ReadOrigin(reader.getOrigin());
  answers.upto = Stamp{reader.getUpto()};
  for (size_t i = 0; i < payload.size(); ++i) {
    const auto place = static_cast<uint32_t>(i);
    const uint8_t outcome = outcomes[place];
    Require(outcome >= static_cast<uint8_t>(OrderOutcome::kDone) &&
                outcome <= static_cast<uint8_t>(OrderOutcome::kUnordered),
            "unknown outcome of an order");
    answers.answers.push_back({ids[place], static_cast<OrderOutcome>(outcome), payload[i]});
  }
  return answers;
}

}  // namespace

void BuildForwarding(PeerForwarding::Builder builder, const ForwardingMessage& message,
                     std::vector<std::string_view>& payload) {
  builder.setKind(static_cast<uint8_t>(message.index()));
  std::visit(Build{builder, payload}, message);
}

ForwardingMessage ReadForwarding(PeerForwarding::Reader reader,
                                 const std::vector<std::string_view>& payload) {
  switch (reader.getKind()) {
    case 0:
      return ReadOrders(reader, payload);
    case 1:
      return ReadAnswers(reader, payload);
    case 2: {
      Require(payload.empty(), "a payload where none belongs");
      ClientsGone gone;
      for (const uint64_t client : reader.getClients()) gone.clients.push_back(client);
      return gone;
    }
    default:
      throw Malformed{"unknown kind of forwarding message"};
  }
}

}  // namespace starling::wire

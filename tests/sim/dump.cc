#include "tests/sim/dump.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <vector>

#include "storage/walk_position.h"

namespace starling::sim {

namespace {

void AppendQuoted(std::string& out, std::string_view bytes) {
  out += '"';
  for (const char byte : bytes) {
    if (byte >= ' ' && byte <= '~' && byte != '"') {
      out += byte;
      continue;
    }
    char text[8];
    std::snprintf(text, sizeof text, "\\x%02x", static_cast<unsigned char>(byte));
    out += text;
  }
  out += '"';
}

std::string PayloadText(const Value& value) {
  std::string out;
  if (value.kind == Value::Kind::kBytes) AppendQuoted(out, value.bytes);
  if (value.kind == Value::Kind::kNumber) out = value.number.ToString();
  return out;
}

constexpr ElementType ElementsOf(KeyType type) {
  switch (type) {
    case KeyType::kSet:
      return ElementType::kSet;
    case KeyType::kHash:
      return ElementType::kHash;
    case KeyType::kSortedSet:
      return ElementType::kSortedSet;
    case KeyType::kList:
      return ElementType::kList;
    case KeyType::kStream:
      return ElementType::kStream;
    case KeyType::kNone:
    case KeyType::kString:
      break;
  }
  return ElementType::kNone;
}

std::string DescribeKey(Keyspace& keyspace, const KeyRef& key) {
  Access access = keyspace.Lock(key);
  const auto view = access.Find(key, false);
  if (!view) return {};
  std::string line = std::to_string(key.database) + " ";
  AppendQuoted(line, key.name);
  line += " type=" + std::to_string(static_cast<int>(view->type));
  // A claim's time to live counts on each node's own clock.
  if (view->claimed) line += " claimed";
  if (view->deadline_millis && !view->claimed)
    line += " deadline=" + std::to_string(*view->deadline_millis);
  if (view->type == KeyType::kString) {
    std::string buffer;
    line += " value=";
    AppendQuoted(line, view->Text(buffer));
    return line;
  }
  std::map<std::string, std::string> elements;
  access.ForEachElement(key, ElementsOf(view->type), [&](std::string_view id, const Value& value) {
    elements[std::string(id)] = PayloadText(value);
  });
  line += " size=" + std::to_string(view->size);
  for (const auto& [id, payload] : elements) {
    line += ' ';
    AppendQuoted(line, id);
    if (!payload.empty()) line += "=" + payload;
  }
  return line;
}

std::string Join(std::vector<std::string>& lines, std::string_view head) {
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  std::string out(head);
  for (const std::string& line : lines) out.append(line).append("\n");
  return out;
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::string VisibleDump(Keyspace& keyspace) {
  std::vector<std::string> lines;
  for (int database = 0; database < kAllDatabases; ++database) {
    const auto number = static_cast<uint8_t>(database);
    std::vector<std::string> names;
    uint64_t cursor = 0;
    do {
      cursor = keyspace.Scan(number, cursor, 1000, [&](std::string_view name, const KeyView&) {
        names.emplace_back(name);
      });
    } while (cursor != 0);
    for (const std::string& name : names) {
      std::string line = DescribeKey(keyspace, keyspace.Ref(number, name));
      if (!line.empty()) lines.push_back(std::move(line));
    }
  }
  return Join(lines, "visible\n");
}

std::string ItemDump(Keyspace& keyspace) {
  std::vector<std::string> lines;
  WalkPosition position;
  while (!position.done) {
    keyspace.Walk(position, {}, 1 << 20, [&](const Item& item) {
      std::string line = std::to_string(item.database) + " ";
      AppendQuoted(line, item.key);
      line += " part=" + std::to_string(static_cast<int>(item.part));
      if (!item.element.empty()) AppendQuoted(line += " element=", item.element);
      line += " by=" + item.origin.ToString() + ":" + std::to_string(item.stamp.value);
      if (!item.at.none()) line += " at=" + std::to_string(item.at.value);
      if (item.removed) line += " removed";
      if (item.deadline_millis != 0) line += " deadline=" + std::to_string(item.deadline_millis);
      if (item.value.kind != Value::Kind::kNone) line += " " + PayloadText(item.value);
      lines.push_back(std::move(line));
    });
  }
  return Join(lines, "items\n");
}

std::string DumpDifference(std::string_view left, std::string_view right) {
  constexpr size_t kMostLines = 24;
  const auto a = Lines(left);
  const auto b = Lines(right);
  std::string out;
  size_t shown = 0;
  const auto show = [&](char mark, std::string_view line) {
    if (++shown > kMostLines) return;
    out += mark;
    out.append(" ").append(line).append("\n");
  };
  size_t i = 0;
  size_t j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      ++i;
      ++j;
    } else if (j == b.size() || (i < a.size() && a[i] < b[j])) {
      show('-', a[i++]);
    } else {
      show('+', b[j++]);
    }
  }
  return out;
}

std::optional<std::string> ReadString(Keyspace& keyspace, const KeyRef& key) {
  Access access = keyspace.Lock(key);
  const auto view = access.Find(key, false);
  if (!view || view->type != KeyType::kString) return std::nullopt;
  std::string buffer;
  return std::string(view->Text(buffer));
}

}  // namespace starling::sim

/// Outcomes: a value or an error, never an exception.
///
/// A function that can fail returns `Result<T>` (`Status` without a value). Every error names
/// what was wrong, where, and what would be right. Whether a failure changed state is said by each
/// function; an outcome that is not known is `Code::kUnknownOutcome`, never merged with failure.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace starling {

enum class Code {
  kInvalidArgument,  ///< The caller's input is malformed or out of range.
  kNotFound,         ///< The thing named does not exist.
  kAlreadyExists,    ///< The thing to create exists.
  kWrongType,        ///< The key holds another type.
  kOutOfRange,       ///< The result would not fit its type.
  kRefused,          ///< A peer, the cluster or the configuration does not allow it.
  kReadOnly,         ///< The node stopped writing after a failed append.
  kCorruption,       ///< Bytes from disk or network do not decode or fail their checksum.
  kIo,               ///< The operating system refused; the message names file and reason.
  kLimitExceeded,    ///< A configured or built-in maximum would be passed.
  kUnavailable,      ///< Cannot be done now; trying later may succeed.
  kUnknownOutcome,   ///< May or may not have happened.
  kClosed,           ///< The node has been closed.
};

/// The field's name of `code`, e.g. "invalid argument".
const char* CodeName(Code code);

struct Error {
  Code code;
  std::string message;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  /// The value; must be ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// The error; must not be ok().
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : failed_(true), error_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return error_; }

 private:
  bool failed_ = false;
  Error error_{Code::kInvalidArgument, {}};
};

using Status = Result<void>;

}  // namespace starling

#include "test/support/strict_write_request.h"

#include <cstdint>
#include <stdexcept>
#include <unordered_set>
#include <vector>

namespace tributary {

namespace {

struct Bad : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void Require(bool good, const char* error) {
  if (!good) throw Bad(error);
}

class Bytes {
 public:
  explicit Bytes(std::string_view in) : in_(in) {}

  bool empty() const { return in_.empty(); }
  uint8_t Byte() {
    Require(!in_.empty(), "the end comes too early");
    const auto byte = static_cast<uint8_t>(in_.front());
    in_.remove_prefix(1);
    return byte;
  }
  std::string_view Take(size_t size) {
    Require(size <= in_.size(), "the end comes too early");
    const std::string_view bytes = in_.substr(0, size);
    in_.remove_prefix(size);
    return bytes;
  }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int i = 0; i < 10; i++) {
      const uint8_t byte = Byte();
      value |= static_cast<uint64_t>(byte & 127) << (7 * i);
      if (byte >= 128) continue;
      Require(byte != 0 || i == 0, "a varint is longer than needed");
      return value;
    }
    throw Bad("a varint is too long");
  }
  std::string_view Sized() { return Take(Varint()); }

 private:
  std::string_view in_;
};

std::string Inflate(std::string_view body) {
  Bytes in(body);
  const uint64_t size = in.Varint();
  Require(size <= 32 << 20, "the announced length is above 32 MiB");
  std::string out;
  while (!in.empty()) {
    const uint8_t tag = in.Byte();
    if ((tag & 3) == 0) {
      const size_t form = tag >> 2;
      Require(form <= 61, "a literal is longer than 64 KiB");
      size_t length = form < 60 ? form : in.Byte();
      if (form == 61) length |= static_cast<size_t>(in.Byte()) << 8;
      out += in.Take(length + 1);
      continue;
    }
    Require((tag & 3) != 3, "an offset has four bytes");
    size_t length, offset;
    if ((tag & 3) == 1) {
      length = 4 + ((tag >> 2) & 7);
      offset = static_cast<size_t>(tag >> 5) << 8 | in.Byte();
    } else {
      length = 1 + (tag >> 2);
      offset = in.Byte();
      offset |= static_cast<size_t>(in.Byte()) << 8;
    }
    Require(offset > 0 && offset <= out.size(), "a copy comes from before the beginning");
    for (size_t i = 0; i < length; i++) out += out[out.size() - offset];
  }
  Require(out.size() == size, "the length is not as announced");
  return out;
}

// Calls f(field, wire type, bytes) for fields, which have to rise; only those with their bit in
// `repeated` may come again. f takes the field's content from the bytes.
template <typename F>
void ForEachField(std::string_view message, uint32_t repeated, F f) {
  Bytes in(message);
  uint64_t last = 0;
  while (!in.empty()) {
    const uint64_t tag = in.Varint();
    const uint64_t field = tag >> 3;
    Require(field > last || (field == last && (repeated >> field & 1) != 0),
            "fields are not in order");
    last = field;
    f(field, tag & 7, in);
  }
}

class Reader {
 public:
  Reader(StrictRequest& out, bool is_v2) : out_(out), is_v2_(is_v2) {}

  void Request(std::string_view message) {
    ForEachField(message, 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5,
                 [&](uint64_t field, uint64_t type, Bytes& in) {
                   Require(type == 2, "a field of a request has another type");
                   const std::string_view bytes = in.Sized();
                   if (is_v2_ && field == 4) return Symbol(bytes);
                   Require(field == (is_v2_ ? 5 : 1), "a request has a field of other kind");
                   Series(bytes);
                 });
    Require(!is_v2_ || !symbols_.empty(), "there are no symbols");
  }

 private:
  void Symbol(std::string_view text) {
    Require(symbols_.empty() == text.empty(), "the empty symbol is the first, and no other");
    Require(known_.insert(text).second, "a symbol is there twice");
    symbols_.push_back(text);
    out_.symbols++;
  }

  std::string_view SymbolOf(uint64_t number) {
    Require(number < symbols_.size(), "a symbol is not there");
    return symbols_[number];
  }

  void LabelIs(std::string_view name, std::string_view value) {
    Require(!name.empty() && !value.empty(), "a label is empty");
    Require(last_label_ < name, "labels are not sorted");
    last_label_ = name;
  }

  void Series(std::string_view message) {
    out_.series++;
    last_label_ = {};
    int samples = 0;
    ForEachField(message, is_v2_ ? 0 : 1 << 1, [&](uint64_t field, uint64_t type, Bytes& in) {
      Require(type == 2, "a field of a series has another type");
      const std::string_view bytes = in.Sized();
      if (field == 1) return is_v2_ ? Refs(bytes) : Label(bytes);
      if (is_v2_ && field == 5) return Metadata(bytes);
      Require(field >= 2 && field <= 4, "a series has an unknown field");
      samples++;
      if (field == 2) Sample(bytes);
    });
    Require(!last_label_.empty(), "a series has no labels");
    Require(samples == 1, "a series has not one sample");
  }

  void Label(std::string_view message) {
    std::string_view name, value;
    ForEachField(message, 0, [&](uint64_t field, uint64_t type, Bytes& in) {
      Require(type == 2 && field <= 2, "a label has an unknown field");
      (field == 1 ? name : value) = in.Sized();
    });
    LabelIs(name, value);
  }

  void Refs(std::string_view packed) {
    Bytes refs(packed);
    while (!refs.empty()) {
      const std::string_view name = SymbolOf(refs.Varint());
      LabelIs(name, SymbolOf(refs.Varint()));
    }
  }

  void Sample(std::string_view message) {
    ForEachField(message, 0, [&](uint64_t field, uint64_t type, Bytes& in) {
      Require(type == (field == 1 ? 1 : 0), "a field of a sample has another type");
      Require(field <= (is_v2_ ? 3 : 2), "a sample has an unknown field");
      if (field == 1) {
        in.Take(8);
      } else {
        in.Varint();
      }
    });
  }

  void Metadata(std::string_view message) {
    ForEachField(message, 0, [&](uint64_t field, uint64_t type, Bytes& in) {
      Require(type == 0 && (field == 1 || field == 3 || field == 4),
              "metadata has an unknown field");
      const uint64_t number = in.Varint();
      if (field == 1) {
        Require(number <= 7, "a metric type is unknown");
      } else {
        SymbolOf(number);
      }
    });
  }

  StrictRequest& out_;
  const bool is_v2_;
  std::vector<std::string_view> symbols_;
  std::unordered_set<std::string_view> known_;
  std::string_view last_label_;
};

}  // namespace

StrictRequest ReadStrictly(std::string_view body, bool is_v2) {
  StrictRequest request;
  try {
    request.raw = Inflate(body);
    Reader(request, is_v2).Request(request.raw);
  } catch (const Bad& bad) {
    request.error = bad.what();
  }
  return request;
}

}  // namespace tributary

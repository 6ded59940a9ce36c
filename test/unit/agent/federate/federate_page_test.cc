#include "agent/federate/federate_page.h"

#include "common/compress/inflate.h"
#include "test/support/catch.h"
#include "test/unit/agent/federate/federate_world.h"

namespace tributary {
namespace {

FederateSource Source(int series) {
  FederateSource source;
  source.now = kPageNow;
  source.look_back_ms = 300'000;
  for (int begin = 0; begin < series; begin += 400) {
    std::vector<PageSample> samples;
    for (int i = begin; i < std::min(series, begin + 400); i++) {
      samples.push_back({Labels{{"__name__", "m" + std::to_string(i % 7)},
                                {"instance", "i"},
                                {"k", std::to_string(i)}},
                         static_cast<double>(i)});
    }
    source.groups.push_back(MakeLatest(samples));
  }
  return source;
}

std::string Drain(FederatePage& page, size_t* largest = nullptr) {
  std::string all, piece;
  while (page.Next(piece)) {
    if (largest != nullptr) *largest = std::max(*largest, piece.size());
    all += piece;
  }
  return all;
}

TEST_CASE("page: comes in pieces that are not large") {
  FederatePage page(Source(10'000), SelectAll(), {}, false);
  size_t largest = 0;
  const std::string text = Drain(page, &largest);
  CHECK(page.series() == 10'000);
  CHECK(std::count(text.begin(), text.end(), '\n') == 10'007);
  CHECK(largest < 70'000);
}

TEST_CASE("page: gzip has the same bytes in it") {
  FederatePage plain(Source(5000), SelectAll(), {}, false);
  FederatePage packed(Source(5000), SelectAll(), {}, true);
  const std::string text = Drain(plain), compressed = Drain(packed);
  Gunzip gunzip;
  std::string inflated;
  CHECK(gunzip.Push(compressed, [&](std::string_view bytes) {
    inflated += bytes;
    return true;
  }));
  CHECK(gunzip.Finish().has_value());
  CHECK(inflated == text);
  CHECK(compressed.size() < text.size() / 3);
}

TEST_CASE("page: nothing selected is an empty page, and a whole one where it is gzip") {
  FederatePage plain(Source(10), {}, {}, false);
  CHECK(Drain(plain).empty());
  FederatePage packed(Source(10), {}, {}, true);
  Gunzip gunzip;
  const std::string compressed = Drain(packed);
  CHECK(gunzip.Push(compressed, [](std::string_view) { return true; }));
  CHECK((!compressed.empty() && gunzip.Finish().has_value()));
}

}  // namespace
}  // namespace tributary

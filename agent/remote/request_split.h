// The search for what is refused in a request: which parts of it to send, one after the other.
// Pure.
//
// The request's entries are numbered so that those of a series lie together, in the order of their
// times (split_plan.h). A refused piece is halved between two series, and only when all series are
// known that are refused, by Reopen, within one. Pieces are sent from left to right, and one is
// divided before what lies right of it is sent, so that each series keeps its order. Bounds:
// `requests_max` pieces are sent in all; a piece is divided only while every other one can still be
// sent once.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace tributary {

class RequestSplit {
 public:
  struct Series {
    uint32_t begin = 0, end = 0;  // its entries
    // It was refused before. Such ones stand last, and Reopen leaves them.
    bool suspect = false;
  };
  // The entries [begin, end).
  struct Piece {
    uint32_t begin = 0, end = 0;
    bool operator==(const Piece&) const = default;
  };

  // Of a request that was refused whole, if it can be divided. The series are in order, without
  // gaps.
  RequestSplit(const std::vector<Series>& series, uint32_t requests_max);

  // Whether there is anything to be sent.
  bool divides() const { return !left_.empty(); }
  // The next to be sent; nullopt: there are no more.
  std::optional<Piece> Next();
  // What became of it. False: it is not divided (one series, no requests left) and so refused for
  // good. `shared`: of two halves one must be bad, as one bad sample makes all others be refused.
  void Accepted();
  bool Divide(bool shared);
  // After the last piece: whether a refused one is to be looked into after all, as it is one
  // series, and no suspect. Its halves are then next.
  bool Reopen(const Piece& piece);
  uint32_t sent() const { return sent_; }

 private:
  struct Node {
    Piece piece;
    bool first_half = false;  // and the other is next
    bool is_bad = false;      // as its sibling is good
  };
  // The series of its first and last entries.
  std::pair<const Series*, const Series*> EndsOf(const Piece& piece) const;
  bool IsWholeSeries(const Piece& piece) const;
  // Where to cut; its begin: not at all.
  uint32_t CutOf(const Piece& piece) const;
  bool Push(const Piece& piece, bool shared);

  const std::vector<Series> series_;
  const uint32_t requests_max_;
  uint32_t sent_ = 0;
  std::vector<Node> left_;  // the next is last
  Node current_;
};

}  // namespace tributary

// From what is staged by place to records by group. Pure, but for the layout and buffer given.
#pragma once

#include "agent/layout/scrape_buffer.h"
#include "agent/layout/target_layout.h"
#include "agent/series/samples.h"

namespace tributary {

// The start times of the group's samples, as the page has told them; of the series that it does not
// have, as before. Records share the table until it changes.
void UpdateStarts(TargetLayout::Group& group, const ScrapeBuffer& buffer);

// What is staged at the layout's places, for the time given where it has none of its own: a record
// for each group that has something. Histograms and exemplars are moved out of the buffer.
Commit SliceCommit(const TargetLayout& layout, TimestampMs timestamp, ScrapeBuffer& buffer);

}  // namespace tributary

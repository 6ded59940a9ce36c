// Messages of DNS as servers write them, for tests: the other way round of common/dns/message.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/dns/message.h"

namespace tributary {

// A name of plain labels as it is on the wire: "\3web\5local\0" of "web.local.".
std::string DnsNameBytes(std::string_view name);
// "\1\2" of 0x0102.
std::string DnsWord(unsigned word);

// What a record has after its length.
struct DnsRecordBytes {
  unsigned type = 0;
  std::string data;
};
DnsRecordBytes DnsA(const std::string& four_bytes);
DnsRecordBytes DnsAaaa(const std::string& sixteen_bytes);
DnsRecordBytes DnsNamed(DnsType type, std::string_view name);  // NS, CNAME
DnsRecordBytes DnsMx(std::string_view name);
DnsRecordBytes DnsSrv(std::string_view name, unsigned port);

struct DnsAnswer {
  unsigned id = 0;
  unsigned rcode = 0;
  bool truncated = false;
  std::string question;  // as in the request: name, type and class
  std::vector<DnsRecordBytes> records;
};
// Each record's owner is a pointer to the question's name.
std::string DnsAnswerBytes(const DnsAnswer& answer);

}  // namespace tributary

#include "test/support/dns_message.h"

namespace tributary {

std::string DnsWord(unsigned word) {
  return {static_cast<char>(word >> 8 & 0xFF), static_cast<char>(word & 0xFF)};
}

std::string DnsNameBytes(std::string_view name) {
  std::string bytes;
  while (!name.empty() && name != ".") {
    const size_t dot = name.find('.');
    const std::string_view label = name.substr(0, dot);
    bytes += static_cast<char>(label.size());
    bytes += label;
    name.remove_prefix(dot == std::string_view::npos ? name.size() : dot + 1);
  }
  return bytes + '\0';
}

DnsRecordBytes DnsA(const std::string& four_bytes) {
  return {static_cast<unsigned>(DnsType::kA), four_bytes};
}
DnsRecordBytes DnsAaaa(const std::string& sixteen_bytes) {
  return {static_cast<unsigned>(DnsType::kAaaa), sixteen_bytes};
}
DnsRecordBytes DnsNamed(DnsType type, std::string_view name) {
  return {static_cast<unsigned>(type), DnsNameBytes(name)};
}
DnsRecordBytes DnsMx(std::string_view name) {
  return {static_cast<unsigned>(DnsType::kMx), DnsWord(10) + DnsNameBytes(name)};
}
DnsRecordBytes DnsSrv(std::string_view name, unsigned port) {
  return {static_cast<unsigned>(DnsType::kSrv),
          DnsWord(1) + DnsWord(2) + DnsWord(port) + DnsNameBytes(name)};
}

std::string DnsAnswerBytes(const DnsAnswer& answer) {
  const unsigned flags = 0x8180u | (answer.truncated ? 0x0200u : 0u) | answer.rcode;
  std::string bytes = DnsWord(answer.id) + DnsWord(flags) + DnsWord(1) +
                      DnsWord(static_cast<unsigned>(answer.records.size())) + DnsWord(0) +
                      DnsWord(0) + answer.question;
  for (const DnsRecordBytes& record : answer.records) {
    bytes += DnsWord(0xC00C) + DnsWord(record.type) + DnsWord(1) + DnsWord(0) + DnsWord(60) +
             DnsWord(static_cast<unsigned>(record.data.size())) + record.data;
  }
  return bytes;
}

}  // namespace tributary

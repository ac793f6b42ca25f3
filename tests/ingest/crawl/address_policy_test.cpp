#include "ingest/crawl/address_policy.h"

#include <cstring>
#include <string>

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace swavd::ingest {
namespace {

struct Case {
  const char* address;
  const char* refusal;  // empty: may be connected to
};

class DefaultPolicy : public ::testing::TestWithParam<Case> {};

TEST_P(DefaultPolicy, SaysWhatAnAddressIs) {
  const auto ip = parse_ip(GetParam().address);
  ASSERT_TRUE(ip.has_value());
  const AddressPolicy policy({});
  EXPECT_EQ(policy.refusal(*ip), GetParam().refusal) << GetParam().address;
}

INSTANTIATE_TEST_SUITE_P(
    V4,
    DefaultPolicy,
    ::testing::Values(
        Case{"0.0.0.0", "this_network"},
        Case{"0.255.255.255", "this_network"},
        Case{"1.0.0.0", ""},
        Case{"9.255.255.255", ""},
        Case{"10.0.0.0", "private"},
        Case{"10.255.255.255", "private"},
        Case{"11.0.0.0", ""},
        Case{"100.63.255.255", ""},
        Case{"100.64.0.0", "carrier_nat"},
        Case{"100.100.100.200", "carrier_nat"},  // a cloud's metadata
        Case{"100.127.255.255", "carrier_nat"},
        Case{"100.128.0.0", ""},
        Case{"126.255.255.255", ""},
        Case{"127.0.0.1", "loopback"},
        Case{"127.255.255.255", "loopback"},
        Case{"128.0.0.0", ""},
        Case{"168.63.129.15", ""},
        Case{"168.63.129.16", "cloud_metadata"},
        Case{"169.253.255.255", ""},
        Case{"169.254.169.254", "link_local"},
        Case{"169.255.0.0", ""},
        Case{"172.15.255.255", ""},
        Case{"172.16.0.0", "private"},
        Case{"172.31.255.255", "private"},
        Case{"172.32.0.0", ""},
        Case{"192.0.0.192", "protocol_assignments"},  // a cloud's metadata
        Case{"192.0.1.0", ""},
        Case{"192.0.2.1", "documentation"},
        Case{"192.88.99.1", "6to4_relay"},
        Case{"192.167.255.255", ""},
        Case{"192.168.0.0", "private"},
        Case{"192.168.255.255", "private"},
        Case{"192.169.0.0", ""},
        Case{"198.17.255.255", ""},
        Case{"198.18.0.0", "benchmarking"},
        Case{"198.19.255.255", "benchmarking"},
        Case{"198.20.0.0", ""},
        Case{"198.51.100.7", "documentation"},
        Case{"203.0.113.7", "documentation"},
        Case{"223.255.255.255", ""},
        Case{"224.0.0.1", "multicast"},
        Case{"239.255.255.255", "multicast"},
        Case{"240.0.0.1", "reserved"},
        Case{"255.255.255.255", "reserved"}));

INSTANTIATE_TEST_SUITE_P(
    V6,
    DefaultPolicy,
    ::testing::Values(
        Case{"::", "not_global"},
        Case{"::1", "loopback"},
        Case{"::7f00:1", "not_global"},  // IPv4-compatible, long deprecated
        Case{"::ffff:127.0.0.1", "ipv4_mapped"},
        Case{"::ffff:8.8.8.8", "ipv4_mapped"},
        Case{"64:ff9b::7f00:1", "nat64"},
        Case{"64:ff9b:1::1", "nat64"},
        Case{"100::1", "not_global"},
        Case{"1fff:ffff::1", "not_global"},
        Case{"2000::1", ""},
        Case{"2001::1", "protocol_assignments"},
        Case{"2001:1ff:ffff::1", "protocol_assignments"},
        Case{"2001:200::1", ""},
        Case{"2001:db8::1", "documentation"},
        Case{"2001:db9::1", ""},
        Case{"2002:7f00:1::1", "6to4"},
        Case{"2606:2800:220:1::1", ""},
        Case{"3fff::1", "documentation"},
        Case{"3fff:1000::1", ""},
        Case{"4000::1", "not_global"},
        Case{"fc00::1", "private"},
        Case{"fd00:ec2::254", "private"},  // a cloud's metadata
        Case{"fe80::1", "link_local"},
        Case{"febf::1", "link_local"},
        Case{"fec0::1", "not_global"},
        Case{"ff02::1", "multicast"}));

TEST(AddressPolicy, AdmitsAllowedNetworksAndNothingBesides) {
  const auto policy = AddressPolicy::parse({"127.0.0.0/30", "fd00:1::/32"});
  ASSERT_TRUE(policy.ok());
  const auto refusal = [&](const char* text) {
    return policy.value().refusal(*parse_ip(text));
  };
  EXPECT_EQ(refusal("127.0.0.0"), "");
  EXPECT_EQ(refusal("127.0.0.3"), "");
  EXPECT_EQ(refusal("127.0.0.4"), "loopback");
  EXPECT_EQ(refusal("fd00:1::7"), "");
  EXPECT_EQ(refusal("fd00:2::7"), "private");
  EXPECT_EQ(refusal("::ffff:127.0.0.1"), "ipv4_mapped");
  EXPECT_EQ(refusal("::1"), "loopback");
}

TEST(AddressPolicy, TakesAnAddressAsANetworkOfOne) {
  const auto policy = AddressPolicy::parse({"10.1.2.3"});
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy.value().refusal(*parse_ip("10.1.2.3")), "");
  EXPECT_EQ(policy.value().refusal(*parse_ip("10.1.2.2")), "private");
}

TEST(AddressPolicy, NamesATextThatIsNoNetwork) {
  for (const char* text :
       {"",
        "localhost",
        "127.0.0.0/33",
        "::/129",
        "127.0.0.0/",
        "1/8",
        "127.0.0.0/-1",
        "127.0.0.0/8x",
        "10.0.0/8"}) {
    const auto policy = AddressPolicy::parse({text});
    ASSERT_FALSE(policy.ok()) << text;
    EXPECT_EQ(policy.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(policy.error().message.find(text), std::string::npos);
  }
}

TEST(IpOf, ReadsBothFamiliesAndTheirPorts) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(8080);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr raw{};
  std::memcpy(&raw, &in, sizeof raw);
  const auto ip = ip_of(raw);
  ASSERT_TRUE(ip.has_value());
  EXPECT_TRUE(ip->v4);
  EXPECT_EQ(ip->bytes, parse_ip("127.0.0.1")->bytes);
  EXPECT_EQ(port_of(raw), 8080);
}

TEST(IpOf, KnowsNoOtherFamily) {
  sockaddr raw{};
  raw.sa_family = AF_UNIX;
  EXPECT_FALSE(ip_of(raw).has_value());
  EXPECT_EQ(port_of(raw), 0);
}

}  // namespace
}  // namespace swavd::ingest

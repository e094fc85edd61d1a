/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_TEST_PACKET_BUILDER_H
#define FAIRWAY_REPLAY_TEST_PACKET_BUILDER_H

/*
 * Frames for tests, written as what is special about them:
 *
 *   tcp4("203.0.113.1", 80).tos(0xb8).df().payload(100).pad_to(60)
 *
 * Lengths and checksums come out right unless a setter bends them. Knows nothing of the forwarding
 * core and shares none of its structs.
 */

#include <arpa/inet.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

using Bytes = std::vector<uint8_t>;

inline void put16(Bytes &b, unsigned v)
{
	b.push_back((uint8_t)(v >> 8));
	b.push_back((uint8_t)v);
}

inline void put32(Bytes &b, uint32_t v)
{
	put16(b, v >> 16);
	put16(b, v & 0xffff);
}

inline void put(Bytes &b, const Bytes &more)
{
	b.insert(b.end(), more.begin(), more.end());
}

inline Bytes address(const std::string &text)
{
	Bytes b(text.find(':') == std::string::npos ? 4 : 16);

	if (inet_pton(b.size() == 4 ? AF_INET : AF_INET6, text.c_str(), b.data()) != 1)
		abort();
	return b;
}

/* The node's MAC address. No braced list: gcc 12 takes that for uninitialized when inlined. */
inline Bytes own_mac()
{
	Bytes b(6);

	b[0] = b[5] = 0x02;
	return b;
}

inline uint16_t checksum(const Bytes &b)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < b.size(); i++)
		sum += i % 2 ? b[i] : b[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

class Packet
{
      public:
	Packet(int family, int protocol, const std::string &to, unsigned port)
	    : family_(family), protocol_(protocol), to_(to),
	      from_(family == 4 ? "198.51.100.7" : "2001:db8:c::7"), port_(port)
	{
	}

	/* ---- Ethernet ---- */
	Packet &mac(const Bytes &to)
	{
		mac_ = to;
		return *this;
	}
	Packet &type(unsigned v)
	{
		type_ = v;
		return *this;
	}
	/* Zeros behind the IP packet. */
	Packet &pad(size_t bytes)
	{
		pad_ = bytes;
		return *this;
	}
	Packet &pad_to(size_t frame_bytes)
	{
		pad_to_ = frame_bytes;
		return *this;
	}
	/* The frame ends after so many bytes. */
	Packet &cut(size_t frame_bytes)
	{
		cut_ = frame_bytes;
		return *this;
	}

	/* ---- IP ---- */
	Packet &from(const std::string &v)
	{
		from_ = v;
		return *this;
	}
	/* DSCP and ECN: IPv4 TOS or IPv6 traffic class. */
	Packet &tos(unsigned v)
	{
		tos_ = v;
		return *this;
	}
	Packet &ttl(unsigned v)
	{
		ttl_ = v;
		return *this;
	}
	Packet &label(uint32_t v)
	{
		label_ = v;
		return *this;
	}
	Packet &id(unsigned v)
	{
		id_ = v;
		return *this;
	}
	Packet &df()
	{
		fragment_ |= 0x4000;
		return *this;
	}
	Packet &reserved_flag()
	{
		fragment_ |= 0x8000;
		return *this;
	}
	Packet &more_fragments()
	{
		fragment_ |= 0x2000;
		return *this;
	}
	Packet &offset(unsigned eights)
	{
		fragment_ |= eights;
		return *this;
	}
	Packet &options(size_t bytes)
	{
		options_ = bytes;
		return *this;
	}
	Packet &version(unsigned v)
	{
		version_ = v;
		return *this;
	}
	Packet &header_words(unsigned v)
	{
		ihl_ = v;
		return *this;
	}
	Packet &protocol(int v)
	{
		said_protocol_ = v;
		return *this;
	}
	/* IPv4 total length or IPv6 payload length, as the header says. */
	Packet &length(unsigned v)
	{
		length_ = v;
		return *this;
	}
	Packet &bad_ip_checksum()
	{
		bad_checksum_ = true;
		return *this;
	}
	/* Put an IPv6 extension header of 8 bytes before TCP or UDP. */
	Packet &extension(int header)
	{
		extension_ = header;
		return *this;
	}

	/* ---- TCP, UDP ---- */
	Packet &port_from(unsigned v)
	{
		port_from_ = v;
		return *this;
	}
	Packet &flags(unsigned v)
	{
		flags_ = v;
		return *this;
	}
	Packet &data_offset(unsigned words)
	{
		data_offset_ = words;
		return *this;
	}
	Packet &udp_length(unsigned v)
	{
		udp_length_ = v;
		return *this;
	}
	Packet &payload(size_t bytes)
	{
		payload_ = bytes;
		return *this;
	}
	/* TCP or UDP header ends after so many bytes, and the IP packet with it. */
	Packet &cut_l4(size_t bytes)
	{
		cut_l4_ = bytes;
		return *this;
	}

	unsigned tos() const
	{
		return tos_;
	}
	bool has_df() const
	{
		return family_ == 6 || fragment_ & 0x4000;
	}
	int family() const
	{
		return family_;
	}

	/* The IP packet, without Ethernet and padding. */
	Bytes ip() const
	{
		Bytes l4 = l4_bytes(), b;

		if (cut_l4_)
			l4.resize(*cut_l4_);
		if (family_ == 4)
			b = header4(l4.size());
		else
			b = header6(l4.size());
		put(b, l4);
		return b;
	}

	Bytes frame() const
	{
		Bytes b = mac_;

		put(b, {0x02, 0, 0, 0, 0, 0x99});
		put16(b, type_ ? *type_ : family_ == 4 ? 0x0800 : 0x86dd);
		put(b, ip());
		b.resize(b.size() + pad_);
		if (pad_to_ > b.size())
			b.resize(pad_to_);
		if (cut_ && *cut_ < b.size())
			b.resize(*cut_);
		return b;
	}

      private:
	Bytes l4_bytes() const
	{
		Bytes b;

		put16(b, port_from_);
		put16(b, port_);
		if (protocol_ == 17) {
			put16(b, udp_length_ ? *udp_length_ : 8 + payload_);
			put16(b, 0xbeef);
		} else {
			put32(b, 0x01020304);
			put32(b, 0x05060708);
			b.push_back((uint8_t)(data_offset_ << 4));
			b.push_back((uint8_t)flags_);
			put16(b, 0xffff);
			put32(b, 0xcafe0000);
			for (unsigned i = 20; i < 4 * data_offset_; i++)
				b.push_back(1); /* no-operation options */
		}
		for (size_t i = 0; i < payload_; i++)
			b.push_back((uint8_t)(i * 7 + 1));
		return b;
	}

	Bytes header4(size_t l4) const
	{
		size_t header = 20 + options_;
		unsigned ihl = ihl_ ? *ihl_ : (unsigned)header / 4;
		Bytes b;
		uint16_t sum;

		b.push_back((uint8_t)((version_ ? *version_ : 4) << 4 | ihl));
		b.push_back((uint8_t)tos_);
		put16(b, length_ ? *length_ : header + l4);
		put16(b, id_);
		put16(b, fragment_);
		b.push_back((uint8_t)ttl_);
		b.push_back((uint8_t)(said_protocol_ ? *said_protocol_ : protocol_));
		put16(b, 0);
		put(b, address(from_));
		put(b, address(to_));
		b.resize(header, 1);
		sum = checksum(b);
		b[10] = (uint8_t)(sum >> 8);
		b[11] = (uint8_t)(sum ^ (bad_checksum_ ? 0x55 : 0));
		return b;
	}

	Bytes header6(size_t l4) const
	{
		int next = said_protocol_ ? *said_protocol_ : protocol_;
		Bytes b;

		put32(b, (version_ ? *version_ : 6) << 28 | tos_ << 20 | label_);
		put16(b, length_ ? *length_ : l4 + (extension_ ? 8 : 0));
		b.push_back((uint8_t)(extension_ ? *extension_ : next));
		b.push_back((uint8_t)ttl_);
		put(b, address(from_));
		put(b, address(to_));
		if (extension_)
			put(b, {(uint8_t)next, 0, 1, 4, 0, 0, 0, 0});
		return b;
	}

	int family_, protocol_;
	std::string to_, from_;
	unsigned port_, port_from_ = 40000, tos_ = 0, ttl_ = 57, id_ = 0x1234, fragment_ = 0;
	unsigned flags_ = 0x10, data_offset_ = 5;
	uint32_t label_ = 0;
	size_t pad_ = 0, pad_to_ = 0, options_ = 0, payload_ = 32;
	bool bad_checksum_ = false;
	Bytes mac_ = own_mac();
	std::optional<size_t> cut_, cut_l4_;
	std::optional<unsigned> type_, version_, ihl_, length_, udp_length_;
	std::optional<int> said_protocol_, extension_;
};

inline Packet tcp4(const std::string &to, unsigned port)
{
	return Packet(4, 6, to, port);
}

inline Packet udp4(const std::string &to, unsigned port)
{
	return Packet(4, 17, to, port);
}

inline Packet tcp6(const std::string &to, unsigned port)
{
	return Packet(6, 6, to, port);
}

inline Packet udp6(const std::string &to, unsigned port)
{
	return Packet(6, 17, to, port);
}

#endif

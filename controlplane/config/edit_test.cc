/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/testing.h"

#include <errno.h>

class Edit : public testing::Test
{
      protected:
	void SetUp() override
	{
		cfg = Parse(kFull);
		before = Parse(kFull);
		ASSERT_TRUE(cfg && before);
	}

	/* The edit was refused with these words and changed nothing. */
	void Refused(int got, int want, const char *text)
	{
		EXPECT_EQ(got, want);
		EXPECT_STREQ(err.text, text);
		EXPECT_TRUE(config_equal(cfg.get(), before.get()));
	}

	void ExpectValid()
	{
		auto errs = std::make_unique<struct config_errors>();

		EXPECT_EQ(config_validate(cfg.get(), errs.get()), 0);
		EXPECT_EQ(Errors(*errs), "");
	}

	ConfigPtr cfg, before;
	struct err err = {};
};

static struct config_service Service(enum config_protocol protocol, uint16_t port, const char *pool)
{
	struct config_service s = {};

	s.protocol = protocol;
	s.ports = ports_one(port);
	strcpy(s.pool, pool);
	return s;
}

TEST_F(Edit, AddsAndRemovesAVip)
{
	struct config_service service = Service(CONFIG_TCP, 25, "web");
	struct config_vip vip;

	config_vip_init(&vip);
	strcpy(vip.name, "mail");
	vip.address = Net("203.0.113.25");
	vip.services = &service;
	vip.n_services = 1;
	ASSERT_EQ(config_add_vip(cfg.get(), &vip, &err), 0);
	ASSERT_EQ(cfg->n_vips, 3u);
	EXPECT_TRUE(config_vip_equal(&cfg->vips[2], &vip));
	EXPECT_NE(cfg->vips[2].services, &service) << "copied deep";
	EXPECT_EQ(cfg->vips[2].announce.when, CONFIG_ANNOUNCE_HEALTHY);
	ExpectValid();
	ASSERT_EQ(config_remove_vip(cfg.get(), "mail", &err), 0);
	EXPECT_TRUE(config_equal(cfg.get(), before.get()));
}

TEST_F(Edit, RefusesVipsThatAreThereAlready)
{
	struct config_vip vip;

	config_vip_init(&vip);
	strcpy(vip.name, "web");
	vip.address = Net("203.0.113.25");
	Refused(config_add_vip(cfg.get(), &vip, &err), -EEXIST,
		"there is a vip 'web' already: change it with 'vip set', or choose another name");
	strcpy(vip.name, "new");
	vip.address = Net("203.0.113.80");
	Refused(config_add_vip(cfg.get(), &vip, &err), -EEXIST,
		"vip 'web' has address 203.0.113.80 already: add the services to it");
	strcpy(vip.name, "a/b");
	Refused(config_add_vip(cfg.get(), &vip, &err), -EINVAL,
		"name 'a/b' has a character that can't be used: use letters, digits, '.', '_' and "
		"'-'");
}

TEST_F(Edit, SaysWhichVipWasMeant)
{
	Refused(config_remove_vip(cfg.get(), "wbe", &err), -ENOENT,
		"there is no vip 'wbe': did you mean 'web'?");
	Refused(config_remove_vip(cfg.get(), "database", &err), -ENOENT,
		"there is no vip 'database': 'fairway vip list' shows those there are");
}

TEST_F(Edit, ReplacesAVipWhole)
{
	struct config_service service = Service(CONFIG_UDP, 53, "web");
	struct config_vip vip;

	config_vip_init(&vip);
	strcpy(vip.name, "web");
	vip.address = Net("203.0.113.99");
	vip.services = &service;
	vip.n_services = 1;
	ASSERT_EQ(config_set_vip(cfg.get(), &vip, &err), 0);
	EXPECT_TRUE(config_vip_equal(config_find_vip(cfg.get(), "web"), &vip));
	EXPECT_EQ(cfg->n_vips, 2u);
	ExpectValid();
}

TEST_F(Edit, ChangesAVip)
{
	struct prefix taken = Net("2001:db8:3::80"), own = Net("203.0.113.80"),
		      fresh = Net("203.0.113.0/28");

	Refused(config_set_vip_address(cfg.get(), "web", &taken, &err), -EEXIST,
		"vip 'web6' has address 2001:db8:3::80 already: add the services to it");
	EXPECT_EQ(config_set_vip_address(cfg.get(), "web", &own, &err), 0);
	EXPECT_EQ(config_set_vip_address(cfg.get(), "web", &fresh, &err), 0);
	EXPECT_TRUE(prefix_equal(&cfg->vips[0].address, &fresh));
	EXPECT_EQ(config_set_vip_announce(cfg.get(), "web", CONFIG_ANNOUNCE_NEVER, &err), 0);
	EXPECT_EQ(cfg->vips[0].announce.when, CONFIG_ANNOUNCE_NEVER);
	ExpectValid();
}

TEST_F(Edit, AddsChangesAndRemovesServices)
{
	struct config_service s = Service(CONFIG_TCP, 8080, "web");

	ASSERT_EQ(config_add_service(cfg.get(), "web", &s, &err), 0);
	ASSERT_EQ(cfg->vips[0].n_services, 3u);
	ASSERT_EQ(
		config_set_service_pool(cfg.get(), "web", CONFIG_TCP, ports_one(8080), "lan", &err),
		0);
	EXPECT_STREQ(cfg->vips[0].services[2].pool, "lan");
	ASSERT_EQ(config_remove_service(cfg.get(), "web", CONFIG_TCP, ports_one(8080), &err), 0);
	EXPECT_TRUE(config_equal(cfg.get(), before.get()));
}

TEST_F(Edit, RefusesServicesThatCannotBe)
{
	struct config_service twice = Service(CONFIG_TCP, 443, "web");
	struct config_service lost = Service(CONFIG_TCP, 80, "wbe");

	Refused(config_add_service(cfg.get(), "web", &twice, &err), -EEXIST,
		"vip 'web' has a service on tcp port 443 already: remove it first, or choose "
		"another port");
	Refused(config_add_service(cfg.get(), "web", &lost, &err), -ENOENT,
		"there is no pool 'wbe': did you mean 'web'?");
	Refused(config_remove_service(cfg.get(), "web", CONFIG_TCP, PORTS_ANY, &err), -ENOENT,
		"vip 'web' has no service on tcp port any: 'fairway vip show web' lists its "
		"services");
	Refused(config_set_service_pool(cfg.get(), "web", CONFIG_TCP, ports_one(443), "x", &err),
		-ENOENT, "there is no pool 'x': 'fairway pool list' shows those there are");
}

TEST_F(Edit, AddsChangesAndRemovesReals)
{
	struct config_real real;
	struct config_mac mac = {};

	config_real_init(&real);
	real.address = Addr("10.0.0.13");
	EXPECT_EQ(real.weight, 100u);
	ASSERT_EQ(config_add_real(cfg.get(), "web", &real, &err), 0);
	ASSERT_EQ(config_set_real_weight(cfg.get(), "web", &real.address, 0, &err), 0);
	ASSERT_EQ(config_mac_parse("02:00:00:00:00:0d", &mac, &err), 0);
	ASSERT_EQ(config_set_real_mac(cfg.get(), "web", &real.address, &mac, &err), 0);
	const struct config_real *added = config_find_real(&cfg->pools[0], &real.address);
	ASSERT_TRUE(added);
	EXPECT_EQ(added->weight, 0u);
	EXPECT_EQ(added->mac.bytes[5], 0x0d);
	ExpectValid();
	ASSERT_EQ(config_remove_real(cfg.get(), "web", &real.address, &err), 0);
	EXPECT_TRUE(config_equal(cfg.get(), before.get()));
}

TEST_F(Edit, RefusesRealsThatCannotBe)
{
	struct addr there = Addr("10.0.0.11"), nowhere = Addr("10.0.0.99");
	struct config_real real;

	config_real_init(&real);
	real.address = there;
	Refused(config_add_real(cfg.get(), "web", &real, &err), -EEXIST,
		"pool 'web' has real 10.0.0.11 already: change it with 'real set'");
	Refused(config_remove_real(cfg.get(), "web", &nowhere, &err), -ENOENT,
		"pool 'web' has no real 10.0.0.99: 'fairway pool show web' lists its reals");
	Refused(config_set_real_weight(cfg.get(), "web", &there, 1001, &err), -EINVAL,
		"weight 1001 is out of range: use 0 to 1000");
	Refused(config_add_real(cfg.get(), "wbe", &real, &err), -ENOENT,
		"there is no pool 'wbe': did you mean 'web'?");
}

TEST_F(Edit, LeavesTheOriginalOfACloneAlone)
{
	struct addr address = Addr("10.0.0.11");
	ConfigPtr clone(config_clone(cfg.get()));

	ASSERT_TRUE(clone);
	ASSERT_EQ(config_remove_real(clone.get(), "web", &address, &err), 0);
	ASSERT_EQ(config_remove_vip(clone.get(), "web", &err), 0);
	EXPECT_TRUE(config_equal(cfg.get(), before.get()));
}

TEST(EditValue, ReadsWhatTheFileWouldTake)
{
	struct err err = {};
	char name[CONFIG_NAME_MAX + 1];
	struct addr address;
	enum config_protocol protocol;
	enum config_announce_when when;
	struct config_mac mac;
	uint32_t weight;
	struct server_id id = {};
	struct prefix prefix;
	struct ports ports;

	EXPECT_EQ(config_name_parse("a.b-c_1", name, &err), 0);
	EXPECT_EQ(config_address_parse("2001:db8::1", &address, &err), 0);
	EXPECT_EQ(config_protocol_parse("udp", &protocol, &err), 0);
	EXPECT_EQ(protocol, CONFIG_UDP);
	EXPECT_EQ(config_vip_address_parse("203.0.113.0/24", &prefix, &err), 0);
	EXPECT_EQ(prefix.len, 24);
	EXPECT_EQ(config_vip_address_parse("203.0.113.1/24", &prefix, &err), -EINVAL);
	EXPECT_STREQ(err.text, "address '203.0.113.1/24' has bits set behind its length: write "
			       "203.0.113.0/24, or the address alone");
	EXPECT_EQ(config_server_id_parse("0a0B", &id, &err), 0);
	EXPECT_EQ(id.length, 2);
	EXPECT_EQ(id.bytes[1], 0x0b);
	EXPECT_EQ(config_server_id_parse("0a0", &id, &err), -EINVAL);
	EXPECT_STREQ(err.text, "server_id '0a0' is not 1 to 15 bytes in hex: write two hex digits "
			       "for each byte, such as \"0a01\"");
	EXPECT_EQ(config_ports_parse("8000-8999", &ports, &err), 0);
	EXPECT_EQ(ports.first, 8000);
	EXPECT_EQ(ports.last, 8999);
	EXPECT_EQ(config_ports_parse("9-8", &ports, &err), -EINVAL);
	EXPECT_STREQ(err.text, "port '9-8' is not a range of ports: write the lower and the higher "
			       "port, such as 8000-8999");
	EXPECT_EQ(config_ports_parse("any", &ports, &err), 0);
	EXPECT_TRUE(ports_any(ports));
	EXPECT_EQ(config_weight_parse("1000", &weight, &err), 0);
	EXPECT_EQ(weight, 1000u);
	EXPECT_EQ(config_announce_parse("never", &when, &err), 0);
	EXPECT_EQ(when, CONFIG_ANNOUNCE_NEVER);
	EXPECT_EQ(config_mac_parse("02:00:00:00:00:zz", &mac, &err), -EINVAL);
	EXPECT_EQ(config_ports_parse("70000", &ports, &err), -EINVAL);
	EXPECT_STREQ(err.text,
		     "port '70000' is out of range: use a number 1 to 65535, a range such "
		     "as 8000-8999, or 'any'");
	EXPECT_TRUE(ports_any(ports)) << "untouched";
}

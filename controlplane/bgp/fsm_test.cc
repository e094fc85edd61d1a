/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <string>
#include <vector>

extern "C" {
#include "controlplane/base/clock.h"
#include "controlplane/bgp/fsm.h"
}

namespace
{

const char *const kNames[] = {"connect", "accept", "refuse", "open", "keepalive",
			      "notify",  "close",  "up",     "down"};

/* A state machine and a clock that the test moves. Actions read like "open/out". */
class Fsm : public testing::Test
{
      protected:
	struct fsm f = {};
	struct fsm_output out = {};
	uint64_t now = 1000 * NS_PER_S;
	struct bgp_open peer_open = {64500, 0xc0000201, 90,
				     BGP_CAP_IPV4_UNICAST | BGP_CAP_FOUR_OCTET_AS};

	void SetUp() override
	{
		make(0xc000020a, false);
	}

	void make(uint32_t local_id, bool passive, uint16_t hold = 9)
	{
		struct fsm_config c = {64512, 64500, local_id, hold, passive};

		fsm_init(&f, &c, 42);
	}

	std::vector<std::string> step(struct fsm_event ev)
	{
		std::vector<std::string> did;

		fsm_step(&f, &ev, now, &out);
		for (unsigned i = 0; i < out.n; i++)
			did.push_back(std::string(kNames[out.actions[i].kind]) +
				      (out.actions[i].link == FSM_OUT ? "/out" : "/in"));
		return did;
	}

	std::vector<std::string> event(enum fsm_event_kind kind, enum fsm_link link = FSM_OUT,
				       const char *text = "gone")
	{
		struct fsm_event ev = {};

		ev.kind = kind;
		ev.link = link;
		ev.text = text;
		return step(ev);
	}

	std::vector<std::string> message(enum fsm_link link, enum bgp_msg_type type)
	{
		struct fsm_event ev = {};

		ev.kind = FSM_EV_MESSAGE;
		ev.link = link;
		ev.type = type;
		ev.open = &peer_open;
		return step(ev);
	}

	std::vector<std::string> notification(enum fsm_link link, uint8_t code, uint8_t subcode)
	{
		struct fsm_event ev = {};
		struct bgp_error e = {};

		e.code = code;
		e.subcode = subcode;
		ev.kind = FSM_EV_MESSAGE;
		ev.link = link;
		ev.type = BGP_MSG_NOTIFICATION;
		ev.error = &e;
		return step(ev);
	}

	std::vector<std::string> at_deadline()
	{
		now = fsm_deadline(&f);
		EXPECT_NE(now, UINT64_MAX);
		return event(FSM_EV_TIMER);
	}

	void establish()
	{
		event(FSM_EV_START);
		event(FSM_EV_CONNECTED);
		message(FSM_OUT, BGP_MSG_OPEN);
		message(FSM_OUT, BGP_MSG_KEEPALIVE);
		ASSERT_EQ(fsm_state(&f), BGP_STATE_ESTABLISHED) << out.reason;
	}
};

using Did = std::vector<std::string>;

} // namespace

TEST_F(Fsm, WalksToEstablished)
{
	EXPECT_EQ(fsm_state(&f), BGP_STATE_IDLE);
	EXPECT_EQ(event(FSM_EV_START), Did{"connect/out"});
	EXPECT_EQ(fsm_state(&f), BGP_STATE_CONNECT);
	EXPECT_EQ(event(FSM_EV_CONNECTED), Did{"open/out"});
	EXPECT_EQ(fsm_state(&f), BGP_STATE_OPEN_SENT);
	EXPECT_EQ(message(FSM_OUT, BGP_MSG_OPEN), Did{"keepalive/out"});
	EXPECT_EQ(fsm_state(&f), BGP_STATE_OPEN_CONFIRM);
	EXPECT_EQ(message(FSM_OUT, BGP_MSG_KEEPALIVE), Did{"up/out"});
	EXPECT_EQ(fsm_state(&f), BGP_STATE_ESTABLISHED);
	ASSERT_NE(fsm_established(&f), nullptr);
	EXPECT_EQ(fsm_established(&f)->hold_time_s, 9) << "the smaller of 9 and 90";
	EXPECT_EQ(fsm_established(&f)->capabilities,
		  (uint32_t)(BGP_CAP_IPV4_UNICAST | BGP_CAP_FOUR_OCTET_AS));
}

TEST_F(Fsm, SendsKeepalivesEveryThirdOfTheHoldTimeAtMost)
{
	establish();
	for (int i = 0; i < 20; i++) {
		uint64_t last = now;

		message(FSM_OUT, BGP_MSG_KEEPALIVE); /* The peer is alive. */
		EXPECT_EQ(at_deadline(), Did{"keepalive/out"});
		EXPECT_LE(now - last, 3 * NS_PER_S);
		EXPECT_GE(now - last, 2 * NS_PER_S);
	}
}

TEST_F(Fsm, HoldTimerEndsASilentSessionExactlyThen)
{
	establish();
	uint64_t start = now;
	Did did;

	do {
		did = at_deadline();
	} while (did == Did{"keepalive/out"});
	EXPECT_EQ(now - start, 9 * NS_PER_S);
	EXPECT_EQ(did, (Did{"notify/out", "down/out"}));
	EXPECT_EQ(out.error.code, BGP_ERR_HOLD_TIMER);
	EXPECT_TRUE(out.failure);
	EXPECT_EQ(fsm_state(&f), BGP_STATE_ACTIVE) << "ready for the peer to come back";
	EXPECT_EQ(at_deadline(), Did{"connect/out"});
}

TEST_F(Fsm, UpdatesKeepTheSessionAlive)
{
	establish();
	for (int i = 0; i < 40; i++) {
		now += NS_PER_S;
		message(FSM_OUT, BGP_MSG_UPDATE);
		event(FSM_EV_TIMER);
	}
	EXPECT_EQ(fsm_state(&f), BGP_STATE_ESTABLISHED);
}

TEST_F(Fsm, ZeroHoldTimeMeansNoTimersAtAll)
{
	peer_open.hold_time_s = 0;
	establish();
	EXPECT_EQ(fsm_deadline(&f), UINT64_MAX);
}

TEST_F(Fsm, ZeroHoldTimeStillBoundsTheHandshake)
{
	peer_open.hold_time_s = 0;
	event(FSM_EV_START);
	event(FSM_EV_CONNECTED);
	message(FSM_OUT, BGP_MSG_OPEN);
	EXPECT_EQ(fsm_deadline(&f), now + FSM_OPEN_HOLD_NS);
}

TEST_F(Fsm, RetriesBackOffToThirtySecondsWithJitter)
{
	event(FSM_EV_START);
	uint64_t previous = 0;

	for (int i = 0; i < 12; i++) {
		event(FSM_EV_CONNECT_FAILED);
		EXPECT_EQ(fsm_state(&f), BGP_STATE_ACTIVE);
		uint64_t wait = fsm_deadline(&f) - now;
		uint64_t full = i < 5 ? NS_PER_S << i : FSM_RETRY_MAX_NS;
		EXPECT_LE(wait, full) << i;
		EXPECT_GE(wait, full / 4 * 3) << i;
		EXPECT_NE(wait, previous);
		previous = wait;
		EXPECT_EQ(at_deadline(), Did{"connect/out"});
	}
}

TEST_F(Fsm, AStableSessionForgetsEarlierFailures)
{
	event(FSM_EV_START);
	for (int i = 0; i < 6; i++) {
		event(FSM_EV_CONNECT_FAILED);
		at_deadline();
	}
	event(FSM_EV_CONNECTED);
	message(FSM_OUT, BGP_MSG_OPEN);
	message(FSM_OUT, BGP_MSG_KEEPALIVE);
	now += FSM_STABLE_NS;
	EXPECT_EQ(event(FSM_EV_CLOSED), (Did{"close/out", "down/out"}));
	EXPECT_LE(fsm_deadline(&f) - now, FSM_RETRY_MIN_NS);
}

TEST_F(Fsm, GivesUpOnAConnectionThatNeverAnswers)
{
	event(FSM_EV_START);
	EXPECT_EQ(fsm_deadline(&f), now + FSM_CONNECT_TIMEOUT_NS);
	EXPECT_EQ(at_deadline(), Did{"close/out"});
	EXPECT_NE(std::string(out.reason).find("MD5"), std::string::npos) << out.reason;
}

TEST_F(Fsm, RefusesABadOpenWithTheRightSubcodeAndHoldsBack)
{
	const struct {
		uint32_t asn, id;
		uint16_t hold;
		uint8_t subcode;
	} bad[] = {{64999, 0xc0000201, 90, BGP_OPEN_BAD_PEER_AS},
		   {64500, 0, 90, BGP_OPEN_BAD_ID},
		   {64500, 0xc0000201, 1, BGP_OPEN_BAD_HOLD_TIME},
		   {64500, 0xc0000201, 2, BGP_OPEN_BAD_HOLD_TIME}};

	for (const auto &b : bad) {
		make(0xc000020a, false);
		event(FSM_EV_START);
		event(FSM_EV_CONNECTED);
		peer_open.asn = b.asn;
		peer_open.router_id = b.id;
		peer_open.hold_time_s = b.hold;
		EXPECT_EQ(message(FSM_OUT, BGP_MSG_OPEN), Did{"notify/out"});
		EXPECT_EQ(out.error.code, BGP_ERR_OPEN);
		EXPECT_EQ(out.error.subcode, b.subcode);
		EXPECT_EQ(fsm_state(&f), BGP_STATE_IDLE);
		EXPECT_EQ(event(FSM_EV_ACCEPTED, FSM_IN), Did{"refuse/in"});
		EXPECT_EQ(at_deadline(), Did{"connect/out"});
	}
}

TEST_F(Fsm, MessagesOutOfPlaceAreStateMachineErrors)
{
	const enum bgp_msg_type early[] = {BGP_MSG_KEEPALIVE, BGP_MSG_UPDATE,
					   BGP_MSG_ROUTE_REFRESH};

	for (enum bgp_msg_type type : early) {
		make(0xc000020a, false);
		event(FSM_EV_START);
		event(FSM_EV_CONNECTED);
		EXPECT_EQ(message(FSM_OUT, type), Did{"notify/out"});
		EXPECT_EQ(out.error.code, BGP_ERR_FSM);
		EXPECT_EQ(out.error.subcode, BGP_FSM_IN_OPEN_SENT);
		EXPECT_EQ(out.error.data[0], type);
	}
	make(0xc000020a, false);
	event(FSM_EV_START);
	event(FSM_EV_CONNECTED);
	message(FSM_OUT, BGP_MSG_OPEN);
	EXPECT_EQ(message(FSM_OUT, BGP_MSG_UPDATE), Did{"notify/out"});
	EXPECT_EQ(out.error.subcode, BGP_FSM_IN_OPEN_CONFIRM);
	make(0xc000020a, false);
	establish();
	EXPECT_EQ(message(FSM_OUT, BGP_MSG_OPEN), (Did{"notify/out", "down/out"}));
	EXPECT_EQ(out.error.subcode, BGP_FSM_IN_ESTABLISHED);
}

/* Both connections are up when the OPENs arrive. Whoever has the higher identifier keeps the
 * connection that it opened, whichever OPEN comes first. */
TEST_F(Fsm, CollisionKeepsTheConnectionOfTheHigherId)
{
	for (bool ours_higher : {true, false}) {
		for (enum fsm_link first : {FSM_OUT, FSM_IN}) {
			enum fsm_link second = first == FSM_OUT ? FSM_IN : FSM_OUT;
			enum fsm_link loser = ours_higher ? FSM_IN : FSM_OUT;
			enum fsm_link winner = ours_higher ? FSM_OUT : FSM_IN;

			make(ours_higher ? 0xc00002ff : 0xc0000101, false);
			event(FSM_EV_START);
			event(FSM_EV_CONNECTED);
			EXPECT_EQ(event(FSM_EV_ACCEPTED, FSM_IN), (Did{"accept/in", "open/in"}));
			EXPECT_EQ(message(first, BGP_MSG_OPEN).size(), 1u);
			Did did = message(second, BGP_MSG_OPEN);
			EXPECT_EQ(did[0], loser == FSM_OUT ? "notify/out" : "notify/in");
			EXPECT_EQ(out.error.code, BGP_ERR_CEASE);
			EXPECT_EQ(out.error.subcode, BGP_CEASE_COLLISION);
			EXPECT_EQ(f.conn[loser].state, FSM_LINK_NONE);
			EXPECT_EQ(f.conn[winner].state, FSM_LINK_OPEN_CONFIRM);
			EXPECT_FALSE(out.failure) << out.reason;
			EXPECT_EQ(f.retry_ns, 0u);
		}
	}
}

TEST_F(Fsm, EqualIdsAreToldApartByAs)
{
	peer_open.router_id = 0xc000020a;
	event(FSM_EV_START);
	event(FSM_EV_CONNECTED);
	event(FSM_EV_ACCEPTED, FSM_IN);
	message(FSM_OUT, BGP_MSG_OPEN);
	EXPECT_EQ(message(FSM_IN, BGP_MSG_OPEN), Did{"notify/in"}) << "64512 > 64500: ours stays";
}

TEST_F(Fsm, AnEstablishedSessionRefusesAnotherConnectionButProbesItself)
{
	establish();
	EXPECT_EQ(event(FSM_EV_ACCEPTED, FSM_IN), (Did{"refuse/in", "keepalive/out"}));
	EXPECT_EQ(fsm_state(&f), BGP_STATE_ESTABLISHED);
}

TEST_F(Fsm, ANewPassiveConnectionReplacesAHalfOpenOne)
{
	event(FSM_EV_START);
	event(FSM_EV_CONNECT_FAILED);
	event(FSM_EV_ACCEPTED, FSM_IN);
	EXPECT_EQ(event(FSM_EV_ACCEPTED, FSM_IN), (Did{"notify/in", "accept/in", "open/in"}));
}

TEST_F(Fsm, EstablishingOneConnectionEndsTheOtherAttempt)
{
	event(FSM_EV_START);
	event(FSM_EV_ACCEPTED, FSM_IN);
	message(FSM_IN, BGP_MSG_OPEN);
	EXPECT_EQ(message(FSM_IN, BGP_MSG_KEEPALIVE), (Did{"close/out", "up/in"}));
	EXPECT_EQ(fsm_state(&f), BGP_STATE_ESTABLISHED);
}

TEST_F(Fsm, APassiveNeighbourNeverConnects)
{
	make(0xc000020a, true);
	EXPECT_EQ(event(FSM_EV_START), Did{});
	EXPECT_EQ(fsm_state(&f), BGP_STATE_ACTIVE);
	EXPECT_EQ(fsm_deadline(&f), UINT64_MAX);
	event(FSM_EV_ACCEPTED, FSM_IN);
	event(FSM_EV_CLOSED, FSM_IN);
	EXPECT_EQ(fsm_deadline(&f), UINT64_MAX);
}

TEST_F(Fsm, ACeaseFromThePeerLeavesUsReadyForIt)
{
	establish();
	EXPECT_EQ(notification(FSM_OUT, BGP_ERR_CEASE, BGP_CEASE_RESET),
		  (Did{"close/out", "down/out"}));
	EXPECT_EQ(fsm_state(&f), BGP_STATE_ACTIVE);
	EXPECT_EQ(event(FSM_EV_ACCEPTED, FSM_IN), (Did{"accept/in", "open/in"}));
}

TEST_F(Fsm, AnErrorFromThePeerHoldsUsBackAndReadsLikeAnAnswer)
{
	event(FSM_EV_START);
	event(FSM_EV_CONNECTED);
	notification(FSM_OUT, BGP_ERR_OPEN, BGP_OPEN_BAD_PEER_AS);
	EXPECT_EQ(fsm_state(&f), BGP_STATE_IDLE);
	EXPECT_STREQ(out.reason,
		     "the peer ended it: OPEN message error / bad peer AS (2/2); the peer "
		     "expects another AS number from us: compare bgp.asn here with the "
		     "peer's entry for this node");
}

TEST_F(Fsm, StopSaysGoodbyeOnEveryConnectionAndStaysDown)
{
	struct fsm_event stop = {};
	struct bgp_error e;

	bgp_error_set_shutdown(&e, BGP_CEASE_SHUTDOWN, "bye");
	stop.kind = FSM_EV_STOP;
	stop.error = &e;
	event(FSM_EV_START);
	event(FSM_EV_CONNECTED);
	event(FSM_EV_ACCEPTED, FSM_IN);
	EXPECT_EQ(step(stop), (Did{"notify/out", "notify/in"}));
	EXPECT_EQ(out.error.subcode, BGP_CEASE_SHUTDOWN);
	EXPECT_EQ(fsm_state(&f), BGP_STATE_IDLE);
	EXPECT_EQ(fsm_deadline(&f), UINT64_MAX);
	EXPECT_EQ(event(FSM_EV_ACCEPTED, FSM_IN), Did{"refuse/in"});
}

TEST_F(Fsm, APeerThatNeverReadsIsGivenUpAfterEightMinutes)
{
	establish();
	uint64_t start = now;

	event(FSM_EV_SEND_BLOCKED);
	while (fsm_state(&f) == BGP_STATE_ESTABLISHED) {
		message(FSM_OUT, BGP_MSG_KEEPALIVE); /* It still talks. */
		at_deadline();
	}
	EXPECT_EQ(out.error.code, BGP_ERR_SEND_HOLD_TIMER);
	EXPECT_EQ(now - start, FSM_SEND_HOLD_MIN_NS);
	make(0xc000020a, false);
	establish();
	event(FSM_EV_SEND_BLOCKED);
	event(FSM_EV_SEND_CLEAR);
	EXPECT_EQ(f.conn[FSM_OUT].send_hold_ns, 0u);
}

TEST_F(Fsm, EventsOfAForgottenConnectionDoNothing)
{
	event(FSM_EV_START);
	event(FSM_EV_CONNECT_FAILED);
	for (int kind : {FSM_EV_CONNECTED, FSM_EV_CLOSED, FSM_EV_MESSAGE, FSM_EV_SEND_BLOCKED}) {
		struct fsm before = f;

		EXPECT_EQ(event((enum fsm_event_kind)kind), Did{});
		EXPECT_EQ(fsm_deadline(&before), fsm_deadline(&f));
	}
}

/* What listen may say, and what an address tells of a peer. */
#include "collector/ingest/address.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *text;
	int r;
} FORMS[] = {
	{"127.0.0.1:8514", 0},     {"[::1]:8514", 0},       {"localhost:8514", 0},
	{"0.0.0.0:0", 0},          {"[::]:65535", 0},       {"127.0.0.1", -EINVAL},
	{":8514", -EINVAL},        {"127.0.0.1:", -EINVAL}, {"127.0.0.1:65536", -EINVAL},
	{"::1:8514", -EINVAL},     {"[::1]", -EINVAL},      {"[]:1", -EINVAL},
	{"127.0.0.1:+1", -EINVAL}, {"", -EINVAL},
};

START_TEST(form)
{
	const char *why = NULL;
	ck_assert_int_eq(address_check(FORMS[_i].text, &why), FORMS[_i].r);
	ck_assert(FORMS[_i].r == 0 || why);
}
END_TEST

static struct sockaddr_storage resolve(const char *text)
{
	struct sockaddr_storage a;
	const char *why;
	ck_assert_int_eq(address_resolve(text, &a, &why), 0);
	return a;
}

static const struct {
	const char *text;
	bool loopback;
	const char *formatted;
} KINDS[] = {
	{"127.0.0.1:1", true, "127.0.0.1:1"},
	{"127.255.255.254:1", true, "127.255.255.254:1"},
	{"[::1]:8514", true, "[::1]:8514"},
	{"[::ffff:127.0.0.1]:1", true, "[::ffff:127.0.0.1]:1"},
	{"0.0.0.0:1", false, "0.0.0.0:1"},
	{"[::]:1", false, "[::]:1"},
	{"128.0.0.1:1", false, "128.0.0.1:1"},
	{"[::ffff:10.0.0.1]:1", false, "[::ffff:10.0.0.1]:1"},
	{"[2001:db8::1]:1", false, "[2001:db8::1]:1"},
};

START_TEST(kind)
{
	struct sockaddr_storage a = resolve(KINDS[_i].text);
	char text[ADDRESS_TEXT_MAX];
	ck_assert_int_eq(address_is_loopback((struct sockaddr *)&a), KINDS[_i].loopback);
	address_format((struct sockaddr *)&a, text);
	ck_assert_str_eq(text, KINDS[_i].formatted);
}
END_TEST

START_TEST(a_name_without_an_address)
{
	struct sockaddr_storage a;
	const char *why = NULL;
	ck_assert_int_eq(address_resolve("no-such-host.invalid:1", &a, &why), -EADDRNOTAVAIL);
	ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(same_host)
{
	struct sockaddr_storage a = resolve("10.0.0.1:1"), b = resolve("[::ffff:10.0.0.1]:2"),
				c = resolve("10.0.0.2:1");
	ck_assert(address_same_host((struct sockaddr *)&a, (struct sockaddr *)&b));
	ck_assert(!address_same_host((struct sockaddr *)&a, (struct sockaddr *)&c));
}
END_TEST

/* One machine is one peer, whichever of its addresses it comes from. */
START_TEST(peer_key)
{
	struct sockaddr_storage a = resolve("[2001:db8:0:1::1]:1"),
				b = resolve("[2001:db8:0:1:ffff::2]:2"),
				c = resolve("[2001:db8:0:2::1]:1");
	uint8_t ka[16], kb[16], kc[16];
	address_peer_key((struct sockaddr *)&a, ka);
	address_peer_key((struct sockaddr *)&b, kb);
	address_peer_key((struct sockaddr *)&c, kc);
	ck_assert_mem_eq(ka, kb, 16);
	ck_assert_mem_ne(ka, kc, 16);
	a = resolve("10.0.0.1:1");
	b = resolve("10.0.0.2:1");
	address_peer_key((struct sockaddr *)&a, ka);
	address_peer_key((struct sockaddr *)&b, kb);
	ck_assert_mem_ne(ka, kb, 16);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ingest_address");
	TCase *tcase = tcase_create("ingest_address");
	tcase_add_loop_test(tcase, form, 0, LEN(FORMS));
	tcase_add_loop_test(tcase, kind, 0, LEN(KINDS));
	tcase_add_test(tcase, a_name_without_an_address);
	tcase_add_test(tcase, same_host);
	tcase_add_test(tcase, peer_key);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

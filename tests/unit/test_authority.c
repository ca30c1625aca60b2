/* The private authority: what it issues is verified by any TLS library for the names it was asked
 * for, and for no other; keys are kept when asked. */
#include "collector/authority.h"

#include <check.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>

static struct authority_pair ca, server;
static struct conf_error err;

static void setup(void)
{
	static const char *const names[] = {"logs.example.org", "192.0.2.7", "2001:db8::7"};
	ck_assert_int_eq(authority_make("haul test", &ca, &err), 0);
	ck_assert_int_eq(authority_issue(&ca, names, 3, &server, &err), 0);
}

static void teardown(void)
{
	authority_pair_free(&ca);
	authority_pair_free(&server);
}

static gnutls_datum_t datum(const struct buf *b)
{
	return (gnutls_datum_t){(unsigned char *)b->ptr, (unsigned)b->len};
}

/* gnutls's verdict, as for a client that trusts the authority and dials the name. */
static unsigned verify(const struct buf *trusted, const struct buf *cert, const char *name)
{
	gnutls_x509_trust_list_t trust;
	gnutls_x509_crt_t c;
	gnutls_datum_t ca_pem = datum(trusted), pem = datum(cert);
	unsigned status = 0;
	ck_assert_int_eq(gnutls_x509_trust_list_init(&trust, 0), 0);
	ck_assert_int_eq(gnutls_x509_trust_list_add_trust_mem(trust, &ca_pem, NULL,
							      GNUTLS_X509_FMT_PEM, 0, 0),
			 1);
	ck_assert_int_eq(gnutls_x509_crt_init(&c), 0);
	ck_assert_int_eq(gnutls_x509_crt_import(c, &pem, GNUTLS_X509_FMT_PEM), 0);
	gnutls_typed_vdata_st data[] = {
		{GNUTLS_DT_DNS_HOSTNAME, (unsigned char *)(uintptr_t)name, 0},
		{GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER, 0}};
	ck_assert_int_eq(
		gnutls_x509_trust_list_verify_crt2(trust, &c, 1, data, 2, 0, &status, NULL), 0);
	gnutls_x509_crt_deinit(c);
	gnutls_x509_trust_list_deinit(trust, 1);
	return status;
}

START_TEST(good_for_its_names_only)
{
	ck_assert_uint_eq(verify(&ca.cert, &server.cert, "logs.example.org"), 0);
	ck_assert_uint_eq(verify(&ca.cert, &server.cert, "192.0.2.7"), 0);
	ck_assert_uint_eq(verify(&ca.cert, &server.cert, "2001:db8::7"), 0);
	ck_assert_uint_ne(verify(&ca.cert, &server.cert, "example.org"), 0);
	ck_assert_uint_ne(verify(&ca.cert, &server.cert, "192.0.2.8"), 0);
}
END_TEST

START_TEST(bad_under_another_authority)
{
	struct authority_pair other;
	ck_assert_int_eq(authority_make("haul test", &other, &err), 0);
	ck_assert_uint_ne(verify(&other.cert, &server.cert, "logs.example.org"), 0);
	authority_pair_free(&other);
}
END_TEST

START_TEST(a_server_is_no_authority)
{
	static const char *const names[] = {"evil.example.org"};
	struct authority_pair evil = {BUF_EMPTY, BUF_EMPTY};
	if (authority_issue(&server, names, 1, &evil, &err) == 0)
		ck_assert_uint_ne(verify(&ca.cert, &evil.cert, "evil.example.org"), 0);
	authority_pair_free(&evil);
}
END_TEST

START_TEST(a_key_is_kept)
{
	static const char *const names[] = {"logs"};
	struct buf before = BUF_EMPTY;
	ck_assert_int_eq(buf_add_span(&before, buf_span(&server.key)), 0);
	ck_assert_int_eq(authority_issue(&ca, names, 1, &server, &err), 0);
	ck_assert(span_equal(buf_span(&before), buf_span(&server.key)));
	ck_assert_uint_eq(verify(&ca.cert, &server.cert, "logs"), 0);
	ck_assert_uint_ne(verify(&ca.cert, &server.cert, "logs.example.org"), 0);
	buf_free(&before);
}
END_TEST

START_TEST(names_are_read_again)
{
	char *names[AUTHORITY_NAMES];
	size_t n = 0;
	ck_assert_int_eq(authority_names(&server.cert, names, &n), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(names[0], "logs.example.org");
	ck_assert_str_eq(names[1], "192.0.2.7");
	ck_assert_str_eq(names[2], "2001:db8::7");
	while (n)
		free(names[--n]);
	ck_assert_int_eq(authority_names(&server.key, names, &n), -EINVAL);
}
END_TEST

START_TEST(what_is_damaged_is_said)
{
	static const char *const names[] = {"logs"};
	struct authority_pair out = {BUF_EMPTY, BUF_EMPTY}, broken = {ca.cert, server.cert};
	ck_assert_int_eq(authority_issue(&broken, names, 1, &out, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "authority"));
	ck_assert_int_eq(buf_add_str(&out.key, "rubbish"), 0);
	ck_assert_int_eq(authority_issue(&ca, names, 1, &out, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "server's key"));
	authority_pair_free(&out);
}
END_TEST

START_TEST(names_that_are_names)
{
	char longest[AUTHORITY_NAME_MAX + 2] = "";
	memset(longest, 'a', AUTHORITY_NAME_MAX);
	ck_assert(authority_valid_name(longest));
	longest[AUTHORITY_NAME_MAX] = 'a';
	ck_assert(!authority_valid_name(longest));
	ck_assert(authority_valid_name("::1"));
	ck_assert(authority_valid_name("log-1.example.org"));
	ck_assert(!authority_valid_name(""));
	ck_assert(!authority_valid_name("a b"));
	ck_assert(!authority_valid_name("-a"));
	ck_assert(!authority_valid_name("a:1"));
	ck_assert(!authority_valid_name("a\nb"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("authority");
	TCase *c = tcase_create("authority");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, good_for_its_names_only);
	tcase_add_test(c, bad_under_another_authority);
	tcase_add_test(c, a_server_is_no_authority);
	tcase_add_test(c, a_key_is_kept);
	tcase_add_test(c, names_are_read_again);
	tcase_add_test(c, what_is_damaged_is_said);
	tcase_add_test(c, names_that_are_names);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}

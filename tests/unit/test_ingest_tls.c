/* TLS: which versions, whose certificates, and that a reload leaves connections alone. */
#include "collector/ingest/tls.h"

#include "collector/ingest/auth.h"
#include "collector/ingest/http.h"
#include "common/clock.h"
#include "common/num.h"
#include "tests/lib/certs.h"

#include <check.h>
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))

static char dir[] = "/tmp/haul-tls.XXXXXX";
static char cert[64], key[64], ca_file[64], client_cert[64], client_key[64], no_tokens[64];
static struct certs_pair ca;
static struct tls *tls;
static struct auth *auth;
static struct http *server;

static char *file(char dst[64], const char *name)
{
	(void)snprintf(dst, 64, "%s/%s", dir, name);
	return dst;
}

static struct tls_files files(void)
{
	return (struct tls_files){cert, key, ca_file};
}

static void make_server_cert(void)
{
	struct certs_wish wish = {.common_name = "log server", .dns = {"logs.example.org"}};
	struct certs_pair p = certs_make(wish, &ca);
	certs_write(&p, cert, key);
	certs_free(&p);
}

/* --- a server that says who is asking --- */

static void on_begin(void *user, struct http_exchange *x)
{
	(void)user, (void)x;
}

static void on_body(struct http_exchange *x, struct span piece)
{
	(void)x, (void)piece;
}

static void on_end(struct http_exchange *x)
{
	struct principal p;
	const char *why = "";
	struct buf body = BUF_EMPTY;
	int r = auth_identify(auth, x, &p, &why);
	if (r < 0)
		ck_assert_int_eq(buf_add_str(&body, why), 0);
	else
		for (size_t i = 0; i < p.names.n; i++)
			ck_assert_int_eq(buf_printf(&body, "%s ", p.names.name[i]), 0);
	http_answer(x, (struct http_answer){.status = r < 0 ? 401 : 200, .body = &body});
	buf_free(&body);
}

static void on_gone(struct http_exchange *x)
{
	(void)x;
}

static const struct http_handler handler = {on_begin, on_body, on_end, on_end, on_gone};

static void setup(void)
{
	struct conf_error err = {""};
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	file(cert, "cert.pem");
	file(key, "key.pem");
	file(ca_file, "ca.pem");
	file(client_cert, "client.pem");
	file(client_key, "client.key");
	file(no_tokens, "tokens");
	ca = certs_make((struct certs_wish){.common_name = "CA", .is_ca = true}, NULL);
	certs_write(&ca, ca_file, NULL);
	make_server_cert();
	ck_assert_msg(tls_new(files(), &tls, &err) == 0, "%s", err.text);
	struct auth_config config = {.tokens_file = no_tokens, .tls = tls};
	ck_assert_int_eq(auth_new(&config, &auth, &err), 0);
	struct http_config http = {.listen = "127.0.0.1:0",
				   .threads = 2,
				   .limits = {.max = 100,
					      .per_peer = 100,
					      .fresh_ns = 60 * NUM_SEC_NS,
					      .idle_ns = 60 * NUM_SEC_NS,
					      .stall_ns = 60 * NUM_SEC_NS,
					      .answer_ns = 60 * NUM_SEC_NS},
				   .tls = tls,
				   .uuid = "u",
				   .handler = &handler};
	ck_assert_msg(http_start(&http, &server, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
	http_quiesce(server);
	int64_t until_ns = clock_mono_ns() + 10 * NUM_SEC_NS;
	while (http_exchanges(server) && clock_mono_ns() < until_ns)
		(void)poll(NULL, 0, 2);
	http_stop(server);
	auth_free(auth);
	tls_free(tls);
	certs_free(&ca);
	char *all[] = {cert, key, ca_file, client_cert, client_key};
	for (int i = 0; i < LEN(all); i++)
		(void)unlink(all[i]);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* --- a client --- */

static size_t collect(char *bytes, size_t size, size_t n, void *user)
{
	return buf_add(user, bytes, size * n) == 0 ? size * n : 0;
}

static CURL *client(bool with_cert)
{
	CURL *curl = curl_easy_init();
	char url[64], pin[TLS_PIN_MAX];
	(void)snprintf(url, sizeof(url), "https://%s/", http_address(server));
	ck_assert_int_eq(tls_pin(tls, pin), 0);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, pin);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	if (with_cert) {
		curl_easy_setopt(curl, CURLOPT_SSLCERT, client_cert);
		curl_easy_setopt(curl, CURLOPT_SSLKEY, client_key);
	}
	return curl;
}

static void ask(CURL *curl, long status, const char *text)
{
	struct buf body = BUF_EMPTY;
	long got = 0;
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	CURLcode e = curl_easy_perform(curl);
	ck_assert_msg(e == CURLE_OK, "%s", curl_easy_strerror(e));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &got);
	const char *is = buf_cstr(&body);
	ck_assert_msg(got == status && strstr(is, text), "%ld: %s", got, is);
	buf_free(&body);
}

static void make_client(struct certs_wish wish, const struct certs_pair *by)
{
	struct certs_pair p = certs_make(wish, by);
	certs_write(&p, client_cert, client_key);
	certs_free(&p);
}

static const struct {
	struct certs_wish wish;
	long status;
	const char *text;
} CLIENTS[] = {
	{{.common_name = "web-01"}, 200, "web-01 "},
	{{.common_name = "ignored", .dns = {"web-01", "web-01.example.org"}},
	 200,
	 "web-01 web-01.example.org "},
	{{.common_name = "web-01", .purpose_oid = GNUTLS_KP_TLS_WWW_CLIENT}, 200, "web-01 "},
	{{.common_name = "web-01", .purpose_oid = GNUTLS_KP_TLS_WWW_SERVER},
	 401,
	 "not meant for clients"},
	{{.common_name = "web-01", .valid_from = 1, .valid_to = 2}, 401, "has expired"},
	{{.common_name = "web-01", .valid_from = 4000000000, .valid_to = 4000000001},
	 401,
	 "not yet valid"},
	{{.common_name = "../etc"}, 401, "no name that can be a host's"},
	{{.dns = {"*.example.org"}}, 401, "no name that can be a host's"},
	{{.dns = {"web.0001", "db-01"}}, 200, "db-01 "},
	{{.common_name = "web-01", .dns = {"*"}}, 401, "no name that can be a host's"},
};

START_TEST(names)
{
	make_client(CLIENTS[_i].wish, &ca);
	CURL *curl = client(true);
	ask(curl, CLIENTS[_i].status, CLIENTS[_i].text);
	ask(curl, CLIENTS[_i].status, CLIENTS[_i].text); /* the same connection, as remembered */
	curl_easy_cleanup(curl);
}
END_TEST

START_TEST(strangers)
{
	CURL *curl = client(false);
	ask(curl, 401, "certificate is needed");
	curl_easy_cleanup(curl);
	/* Of a CA with the very same name. */
	struct certs_pair other =
		certs_make((struct certs_wish){.common_name = "CA", .is_ca = true}, NULL);
	make_client((struct certs_wish){.common_name = "web-01"}, &other);
	curl = client(true);
	ask(curl, 401, "certificate is not");
	curl_easy_cleanup(curl);
	make_client((struct certs_wish){.common_name = "web-01"}, NULL); /* by itself */
	curl = client(true);
	ask(curl, 401, "certificate is not");
	curl_easy_cleanup(curl);
	certs_free(&other);
}
END_TEST

static const struct {
	long version;
	bool works;
} VERSIONS[] = {
	{CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_0, false},
	{CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1, false},
	{CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2, true},
	{CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_TLSv1_3, true},
};

START_TEST(versions)
{
	make_client((struct certs_wish){.common_name = "web-01"}, &ca);
	CURL *curl = client(true);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, VERSIONS[_i].version);
	if (VERSIONS[_i].works)
		ask(curl, 200, "web-01 ");
	else
		ck_assert_int_eq(curl_easy_perform(curl), CURLE_SSL_CONNECT_ERROR);
	curl_easy_cleanup(curl);
}
END_TEST

START_TEST(reload)
{
	struct conf_error err;
	make_client((struct certs_wish){.common_name = "web-01"}, &ca);
	CURL *old = client(true);
	ask(old, 200, "web-01 ");
	ck_assert_int_eq(tls_reload(tls, files(), &err), 0);
	make_server_cert();
	ck_assert_int_eq(tls_reload(tls, files(), &err), 1);
	long connects = 9;
	ask(old, 200, "web-01 ");
	curl_easy_getinfo(old, CURLINFO_NUM_CONNECTS, &connects);
	ck_assert_int_eq(connects, 0); /* it lives on with the certificate it began with */
	curl_easy_setopt(old, CURLOPT_FRESH_CONNECT, 1L);
	struct buf ignored = BUF_EMPTY;
	curl_easy_setopt(old, CURLOPT_WRITEDATA, &ignored);
	ck_assert_int_eq(curl_easy_perform(old), CURLE_SSL_PINNEDPUBKEYNOTMATCH);
	buf_free(&ignored);
	CURL *new = client(true);
	ask(new, 200, "web-01 ");
	curl_easy_cleanup(new);
	curl_easy_cleanup(old);
}
END_TEST

/* Another CA holds for connections that live too. */
START_TEST(reload_of_the_ca)
{
	struct conf_error err;
	make_client((struct certs_wish){.common_name = "web-01"}, &ca);
	CURL *curl = client(true);
	ask(curl, 200, "web-01 ");
	struct certs_pair other =
		certs_make((struct certs_wish){.common_name = "other", .is_ca = true}, NULL);
	certs_write(&other, ca_file, NULL);
	ck_assert_int_eq(tls_reload(tls, files(), &err), 1);
	ask(curl, 401, "not of a CA");
	curl_easy_cleanup(curl);
	certs_free(&other);
}
END_TEST

START_TEST(files_that_are_not_what_they_should_be)
{
	struct conf_error err;
	struct tls *t;
	uint64_t generation = tls_generation(tls);
	ck_assert_int_eq(tls_new((struct tls_files){cert, "/nowhere", ""}, &t, &err), -ENOENT);
	ck_assert_str_eq(err.text, "[tls] key = /nowhere: No such file or directory");
	ck_assert_int_eq(tls_new((struct tls_files){key, key, ""}, &t, &err), -EINVAL);
	ck_assert_int_eq(tls_new((struct tls_files){cert, key, key}, &t, &err), -EINVAL);
	make_client((struct certs_wish){.common_name = "x"}, &ca);
	ck_assert_int_eq(tls_reload(tls, (struct tls_files){cert, client_key, ""}, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "key"));
	ck_assert_uint_eq(tls_generation(tls), generation);
}
END_TEST

int main(void)
{
	(void)curl_global_init(CURL_GLOBAL_ALL);
	Suite *suite = suite_create("ingest_tls");
	TCase *tcase = tcase_create("ingest_tls");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, names, 0, LEN(CLIENTS));
	tcase_add_test(tcase, strangers);
	tcase_add_loop_test(tcase, versions, 0, LEN(VERSIONS));
	tcase_add_test(tcase, reload);
	tcase_add_test(tcase, reload_of_the_ca);
	tcase_add_test(tcase, files_that_are_not_what_they_should_be);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

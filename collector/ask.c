/* Asking the running collector: see ask.h. Called by commands.c.
 *
 * Where the collector listens on all addresses, it is asked over loopback, for that is where it
 * answers without a token. */
#include "collector/ask.h"

#include "collector/ingest/address.h"
#include "collector/ingest/tls.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>

enum { ANSWER_MAX = 64 << 20, TIMEOUT_S = 10 };

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
	struct buf *out = user;
	return buf_add(out, bytes, size * n) == 0 ? size * n : 0;
}

/* "Any address" as the loopback of its family. */
static void to_reachable(struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET6) {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;
		if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
			v6->sin6_addr = in6addr_loopback;
	} else {
		struct sockaddr_in *v4 = (struct sockaddr_in *)a;
		if (v4->sin_addr.s_addr == htonl(INADDR_ANY))
			v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
}

static int make_url(const struct options *o, const char *path, char *url, size_t size,
		    struct conf_error *err)
{
	struct sockaddr_storage address;
	const char *why = "port 0 is not a port that can be asked";
	int r = address_resolve(o->collector->listen, &address, &why);
	if (r == 0 && address_port((struct sockaddr *)&address) == 0)
		r = -EINVAL;
	if (r < 0) {
		(void)snprintf(err->text, sizeof(err->text), "listen = %s: %s",
			       o->collector->listen, why);
		return -EINVAL;
	}
	to_reachable(&address);
	char text[ADDRESS_TEXT_MAX];
	address_format((struct sockaddr *)&address, text);
	(void)snprintf(url, size, "%s://%s%s", *o->tls->cert ? "https" : "http", text, path);
	return 0;
}

/* The certificate names the log server, not 127.0.0.1; and it may be of a private CA. Its key is
 * what is known here for sure. */
static int pin_own_key(CURL *curl, const struct options *o, struct conf_error *err)
{
	if (!*o->tls->cert)
		return 0;
	char pin[TLS_PIN_MAX];
	int r = tls_pin_of_file(o->tls->cert, pin, err);
	if (r < 0)
		return r;
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, pin);
	return 0;
}

static int perform(CURL *curl, const char *url, struct buf *out, struct conf_error *err)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	CURLcode e = curl_easy_perform(curl);
	if (e != CURLE_OK) {
		(void)snprintf(err->text, sizeof(err->text), "%s: %s: is the collector running?",
			       url, curl_easy_strerror(e));
		return -ECONNREFUSED;
	}
	long status = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		return 0;
	(void)snprintf(err->text, sizeof(err->text), "%s: HTTP %ld: %.*s", url, status,
		       (int)(out->len < 200 ? span_find(buf_span(out), '\n') : 200),
		       out->len ? out->ptr : "");
	return -EPROTO;
}

int ask_collector(const struct options *options, const char *path, struct buf *out,
		  struct conf_error *err)
{
	char url[512];
	int r = make_url(options, path, url, sizeof(url), err);
	if (r < 0)
		return r;
	out->max = ANSWER_MAX;
	CURL *curl = curl_easy_init();
	if (!curl) {
		(void)snprintf(err->text, sizeof(err->text), "no memory");
		return -ENOMEM;
	}
	r = pin_own_key(curl, options, err);
	if (r == 0)
		r = perform(curl, url, out, err);
	curl_easy_cleanup(curl);
	return r;
}

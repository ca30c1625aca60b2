/* Join strings: see enrol.h. Called by `haul-collector token add` and `init`.
 *
 * The address is what [collector] advertise says; else the one of `listen`, when it is a certain
 * one; else the first name of the certificate; else this machine's name. */
#include "collector/enrol.h"

#include "collector/authority.h"
#include "collector/ingest/address.h"
#include "collector/ingest/tls.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CERT_MAX = 1 << 20 };

void enrol_own_name(char ret[JOIN_ADDRESS_MAX])
{
	char host[AUTHORITY_NAME_MAX + 1] = "";
	struct addrinfo hints = {.ai_flags = AI_CANONNAME}, *found = NULL;
	(void)gethostname(host, sizeof(host) - 1);
	(void)snprintf(ret, JOIN_ADDRESS_MAX, "%s",
		       authority_valid_name(host) ? host : "localhost");
	if (getaddrinfo(host, NULL, &hints, &found) == 0 && found->ai_canonname &&
	    strchr(found->ai_canonname, '.') && authority_valid_name(found->ai_canonname))
		(void)snprintf(ret, JOIN_ADDRESS_MAX, "%s", found->ai_canonname);
	if (found)
		freeaddrinfo(found);
}

/* --- the address --- */

static void first_name(const struct buf *cert, char ret[JOIN_ADDRESS_MAX])
{
	char *names[AUTHORITY_NAMES];
	size_t n = 0;
	if (cert->len == 0 || authority_names(cert, names, &n) < 0 || n == 0)
		enrol_own_name(ret);
	else
		(void)snprintf(ret, JOIN_ADDRESS_MAX, strchr(names[0], ':') ? "[%s]" : "%s",
			       names[0]);
	while (n)
		free(names[--n]);
}

static int find_address(const struct options *o, const struct buf *cert, char ret[JOIN_ADDRESS_MAX],
			struct conf_error *err)
{
	struct sockaddr_storage listen;
	char name[JOIN_ADDRESS_MAX], text[ADDRESS_TEXT_MAX];
	const char *why;
	int r = address_resolve(o->collector->listen, &listen, &why);
	uint16_t port = r < 0 ? 0 : address_port((struct sockaddr *)&listen);
	if (*o->collector->advertise) {
		r = join_address(span_of(o->collector->advertise), port ? port : JOIN_PORT, ret,
				 &why);
	} else if (r == 0 && port == 0) {
		why = "port 0 is not one that agents can be told; set [collector] advertise";
		r = -EINVAL;
	} else if (r == 0 && !address_is_any(&listen)) {
		address_format((struct sockaddr *)&listen, text);
		r = join_address(span_of(text), port, ret, &why);
	} else if (r == 0) {
		first_name(cert, name);
		r = join_address(span_of(name), port, ret, &why);
	}
	if (r < 0)
		(void)snprintf(err->text, sizeof(err->text), "the address for agents: %s", why);
	return r;
}

/* --- how it is known --- */

/* Does an authority of this system's vouch for the certificate under that name? Then agents need no
 * pin, which would break with the next key. */
static bool is_public(const struct buf *cert, const char *address)
{
	char name[JOIN_ADDRESS_MAX];
	gnutls_x509_crt_t *chain = NULL;
	unsigned n = 0, status = 1;
	gnutls_x509_trust_list_t trust;
	gnutls_datum_t pem = {(unsigned char *)cert->ptr, (unsigned)cert->len};
	(void)snprintf(name, sizeof(name), "%.*s", (int)span_find(span_of(address), ':'), address);
	if (gnutls_x509_crt_list_import2(&chain, &n, &pem, GNUTLS_X509_FMT_PEM, 0) < 0)
		return false;
	if (gnutls_x509_trust_list_init(&trust, 0) == 0) {
		gnutls_typed_vdata_st data[] = {
			{GNUTLS_DT_DNS_HOSTNAME, (unsigned char *)name, 0},
			{GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER, 0}};
		(void)gnutls_x509_trust_list_add_system_trust(trust, 0, 0);
		if (gnutls_x509_trust_list_verify_crt2(trust, chain, n, data, 2, 0, &status, NULL) <
		    0)
			status = 1;
		gnutls_x509_trust_list_deinit(trust, 1);
	}
	while (n)
		gnutls_x509_crt_deinit(chain[--n]);
	gnutls_free(chain);
	return status == 0;
}

static int find_pin(const struct options *o, const struct buf *cert, struct join *j,
		    struct conf_error *err)
{
	char pin[TLS_PIN_MAX];
	j->tls = *o->tls->cert != '\0';
	if (!j->tls || is_public(cert, j->address))
		return 0;
	int r = tls_pin_of_file(o->tls->cert, pin, err);
	if (r == 0)
		memcpy(j->pin, pin, sizeof(j->pin)); /* its length is that of a SHA-256 */
	return r;
}

int enrol_string(const struct options *o, const char *hosts, const char *token, struct buf *out,
		 struct conf_error *err)
{
	struct join j = {0};
	struct buf cert = BUF_EMPTY;
	int r = 0;
	if (*o->tls->cert && (r = file_read(AT_FDCWD, o->tls->cert, CERT_MAX, &cert)) < 0)
		(void)snprintf(err->text, sizeof(err->text), "[tls] cert = %.4000s: %s",
			       o->tls->cert, strerror(-r));
	(void)snprintf(j.hosts, sizeof(j.hosts), "%s", hosts);
	(void)snprintf(j.token, sizeof(j.token), "%s", token);
	if (r == 0)
		r = find_address(o, &cert, j.address, err);
	if (r == 0)
		r = find_pin(o, &cert, &j, err);
	if (r == 0)
		r = join_format(&j, out);
	buf_free(&cert);
	return r;
}

/* The collector's TLS: see tls.h. The server (http.c) arms each new session, auth.c asks for the
 * peer's names, the program loads again at SIGHUP.
 *
 * The server's own credentials are replaced in each session before the handshake; that is how a new
 * certificate reaches new connections while old ones live on with theirs. A client's certificate is
 * asked for but not demanded in the handshake: who has none may still read /healthz, and who should
 * have one gets a 401 that says so, where a broken handshake says nothing. */
#include "collector/ingest/tls.h"

#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { PEM_MAX = 1 << 20, CHAIN_MAX = 16 };

struct generation {
	struct buf cert, key, ca; /* PEM, with a NUL behind */
	gnutls_certificate_credentials_t credentials;
	struct generation *older;
};

struct tls {
	pthread_mutex_t lock; /* guards newest and number; generations themselves never change */
	struct generation *newest;
	uint64_t number;
};

static void generation_free(struct generation *g)
{
	if (!g)
		return;
	if (g->credentials)
		gnutls_certificate_free_credentials(g->credentials);
	if (g->key.ptr)
		explicit_bzero(g->key.ptr, g->key.cap);
	buf_free(&g->cert);
	buf_free(&g->key);
	buf_free(&g->ca);
	free(g);
}

static int read_pem(const char *what, const char *path, struct buf *out, struct conf_error *err)
{
	int r = file_read(AT_FDCWD, path, PEM_MAX, out);
	if (r >= 0 && !buf_cstr(out))
		r = -ENOMEM;
	if (r < 0)
		(void)snprintf(err->text, sizeof(err->text), "[tls] %s = %s: %s", what, path,
			       strerror(-r));
	return r < 0 ? r : 0;
}

static gnutls_datum_t datum(const struct buf *b)
{
	return (gnutls_datum_t){(unsigned char *)b->ptr, (unsigned)b->len};
}

static int refuse(struct conf_error *err, const char *what, const char *path, const char *why)
{
	(void)snprintf(err->text, sizeof(err->text), "[tls] %s = %s: %s", what, path, why);
	return -EINVAL;
}

static int load_credentials(struct generation *g, struct tls_files files, struct conf_error *err)
{
	int e = gnutls_certificate_allocate_credentials(&g->credentials);
	if (e < 0)
		return -ENOMEM;
	gnutls_datum_t cert = datum(&g->cert), key = datum(&g->key), ca = datum(&g->ca);
	e = gnutls_certificate_set_x509_key_mem2(g->credentials, &cert, &key, GNUTLS_X509_FMT_PEM,
						 NULL, 0);
	if (e < 0)
		return refuse(err, "cert", files.cert,
			      e == GNUTLS_E_CERTIFICATE_KEY_MISMATCH
				      ? "the key in [tls] key does not belong to it"
				      : gnutls_strerror(e));
	if (g->ca.len == 0)
		return 0;
	e = gnutls_certificate_set_x509_trust_mem(g->credentials, &ca, GNUTLS_X509_FMT_PEM);
	if (e <= 0)
		return refuse(err, "client_ca", files.client_ca,
			      e < 0 ? gnutls_strerror(e) : "there is no certificate in it");
	return 0;
}

static int generation_load(struct tls_files files, struct generation **ret, struct conf_error *err)
{
	struct generation *g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	int r = read_pem("cert", files.cert, &g->cert, err);
	if (r == 0)
		r = read_pem("key", files.key, &g->key, err);
	if (r == 0 && files.client_ca && *files.client_ca)
		r = read_pem("client_ca", files.client_ca, &g->ca, err);
	if (r == 0)
		r = load_credentials(g, files, err);
	if (r < 0) {
		generation_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

int tls_new(struct tls_files files, struct tls **ret, struct conf_error *err)
{
	struct tls *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	int r = generation_load(files, &t->newest, err);
	if (r < 0) {
		free(t);
		return r;
	}
	pthread_mutex_init(&t->lock, NULL);
	t->number = 1;
	*ret = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	while (t->newest) {
		struct generation *g = t->newest;
		t->newest = g->older;
		generation_free(g);
	}
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct generation *newest(struct tls *t)
{
	pthread_mutex_lock(&t->lock);
	struct generation *g = t->newest;
	pthread_mutex_unlock(&t->lock);
	return g;
}

static bool same_texts(const struct generation *a, const struct generation *b)
{
	return span_equal(buf_span(&a->cert), buf_span(&b->cert)) &&
	       span_equal(buf_span(&a->key), buf_span(&b->key)) &&
	       span_equal(buf_span(&a->ca), buf_span(&b->ca));
}

int tls_reload(struct tls *t, struct tls_files files, struct conf_error *err)
{
	struct generation *g = NULL;
	int r = generation_load(files, &g, err);
	if (r < 0)
		return r;
	if (same_texts(g, newest(t))) {
		generation_free(g);
		return 0;
	}
	pthread_mutex_lock(&t->lock);
	g->older = t->newest;
	t->newest = g;
	t->number++;
	pthread_mutex_unlock(&t->lock);
	return 1;
}

uint64_t tls_generation(struct tls *t)
{
	pthread_mutex_lock(&t->lock);
	uint64_t number = t->number;
	pthread_mutex_unlock(&t->lock);
	return number;
}

bool tls_asks_clients(struct tls *t)
{
	return newest(t)->ca.len > 0;
}

const char *tls_cert_pem(struct tls *t)
{
	return newest(t)->cert.ptr;
}

const char *tls_key_pem(struct tls *t)
{
	return newest(t)->key.ptr;
}

int tls_prepare(struct tls *t, gnutls_session_t session)
{
	struct generation *g = newest(t);
	int e = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, g->credentials);
	if (e < 0)
		return -EIO;
	gnutls_certificate_server_set_request(session,
					      g->ca.len ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
	return 0;
}

/* --- the peer's certificate --- */

static int verify(const struct generation *g, gnutls_x509_crt_t *chain, unsigned n,
		  const char **ret_why)
{
	gnutls_x509_trust_list_t trust;
	gnutls_certificate_get_trust_list(g->credentials, &trust);
	gnutls_typed_vdata_st data = {0};
	data.type = GNUTLS_DT_KEY_PURPOSE_OID;
	data.data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT;
	unsigned status = 0;
	int e = gnutls_x509_trust_list_verify_crt2(trust, chain, n, &data, 1, 0, &status, NULL);
	if (e < 0) {
		*ret_why = "the client's certificate cannot be verified";
		return -EACCES;
	}
	if (status == 0)
		return 0;
	if (status & GNUTLS_CERT_EXPIRED)
		*ret_why = "the client's certificate has expired";
	else if (status & GNUTLS_CERT_NOT_ACTIVATED)
		*ret_why = "the client's certificate is not yet valid";
	else if (status & GNUTLS_CERT_PURPOSE_MISMATCH)
		*ret_why = "the client's certificate is not meant for clients";
	else if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
		*ret_why = "the client's certificate is not of a CA in [tls] client_ca";
	else
		*ret_why = "the client's certificate is not trusted";
	return -EACCES;
}

static void add_name(struct tls_names *names, const char *bytes, size_t len)
{
	if (names->n == TLS_NAMES_MAX || !name_valid_host(span_make(bytes, len)))
		return;
	memcpy(names->name[names->n], bytes, len);
	names->name[names->n][len] = '\0';
	names->n++;
}

static void collect_names(gnutls_x509_crt_t cert, struct tls_names *names)
{
	char text[256];
	bool any = false;
	for (unsigned i = 0;; i++) {
		size_t size = sizeof(text);
		int e = gnutls_x509_crt_get_subject_alt_name(cert, i, text, &size, NULL);
		if (e == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (e != GNUTLS_SAN_DNSNAME) /* another kind, or too long to be a host's */
			continue;
		any = true;
		add_name(names, text, size);
	}
	size_t size = sizeof(text);
	if (!any && gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, text,
						  &size) == 0)
		add_name(names, text, size);
}

int tls_peer_names(struct tls *t, gnutls_session_t session, struct tls_names *ret,
		   const char **ret_why)
{
	unsigned n_raw = 0;
	const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &n_raw);
	if (!raw || n_raw == 0)
		return -ENOENT;
	gnutls_x509_crt_t chain[CHAIN_MAX];
	unsigned n = 0;
	int r = 0;
	while (n < n_raw && n < CHAIN_MAX && r == 0) {
		if (gnutls_x509_crt_init(&chain[n]) < 0) {
			r = -ENOMEM;
			break;
		}
		if (gnutls_x509_crt_import(chain[n], &raw[n], GNUTLS_X509_FMT_DER) < 0)
			r = -EACCES;
		n++;
	}
	*ret_why = "the client's certificate cannot be read";
	if (r == 0)
		r = verify(newest(t), chain, n, ret_why);
	if (r == 0) {
		*ret = (struct tls_names){0};
		collect_names(chain[0], ret);
	}
	if (r == 0 && ret->n == 0) {
		*ret_why = "the client's certificate has no name that can be a host's";
		r = -EACCES;
	}
	while (n)
		gnutls_x509_crt_deinit(chain[--n]);
	return r;
}

/* --- the pin --- */

static int hash_public_key(gnutls_x509_crt_t cert, uint8_t digest[32])
{
	gnutls_pubkey_t key;
	gnutls_datum_t der = {0};
	if (gnutls_pubkey_init(&key) < 0)
		return -ENOMEM;
	int e = gnutls_pubkey_import_x509(key, cert, 0);
	if (e >= 0)
		e = gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der);
	if (e >= 0)
		e = gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, digest);
	gnutls_free(der.data);
	gnutls_pubkey_deinit(key);
	return e < 0 ? -EINVAL : 0;
}

static int pin_of(const struct buf *pem, char ret[TLS_PIN_MAX])
{
	gnutls_x509_crt_t cert;
	if (gnutls_x509_crt_init(&cert) < 0)
		return -ENOMEM;
	gnutls_datum_t in = datum(pem), text = {0};
	uint8_t digest[32];
	int r = gnutls_x509_crt_import(cert, &in, GNUTLS_X509_FMT_PEM) < 0 ? -EINVAL : 0;
	if (r == 0)
		r = hash_public_key(cert, digest);
	gnutls_x509_crt_deinit(cert);
	gnutls_datum_t bytes = {digest, sizeof(digest)};
	if (r == 0 && gnutls_base64_encode2(&bytes, &text) < 0)
		r = -ENOMEM;
	if (r == 0)
		(void)snprintf(ret, TLS_PIN_MAX, "sha256//%.*s", (int)text.size,
			       (const char *)text.data);
	gnutls_free(text.data);
	return r;
}

int tls_pin(struct tls *t, char ret[TLS_PIN_MAX])
{
	return pin_of(&newest(t)->cert, ret);
}

int tls_pin_of_file(const char *path, char ret[TLS_PIN_MAX], struct conf_error *err)
{
	struct buf pem = BUF_EMPTY;
	int r = read_pem("cert", path, &pem, err);
	if (r == 0 && (r = pin_of(&pem, ret)) < 0)
		(void)refuse(err, "cert", path, "it is not a certificate");
	buf_free(&pem);
	return r;
}

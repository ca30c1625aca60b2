/* A private authority: see authority.h. Called by `haul-collector init`.
 *
 * Every step is a call of GnuTLS that gives 0 or what is wrong; `step` keeps the first that failed,
 * so that a certificate is made in one go and its outcome looked at once. */
#include "collector/authority.h"

#include "common/clock.h"
#include "common/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERIAL_BYTES = 16, KEY_ID_MAX = 64 };
#define DAY_S ((time_t)86400)

struct making {
	gnutls_x509_crt_t cert;
	gnutls_x509_privkey_t key;
	int e; /* of the first step that failed; 0: none */
};

static void step(struct making *m, int e)
{
	if (m->e >= 0 && e < 0)
		m->e = e;
}

static int failed(const struct making *m, const char *what, struct conf_error *err)
{
	if (m->e >= 0)
		return 0;
	(void)snprintf(err->text, sizeof(err->text), "cannot make %s: %s", what,
		       gnutls_strerror(m->e));
	return m->e == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EIO;
}

void authority_pair_free(struct authority_pair *p)
{
	if (p->key.ptr)
		explicit_bzero(p->key.ptr, p->key.cap);
	buf_free(&p->cert);
	buf_free(&p->key);
}

/* --- names --- */

/* The bytes of an IP address; 0: it is none. */
static size_t address_bytes(const char *name, unsigned char ret[16])
{
	if (inet_pton(AF_INET, name, ret) == 1)
		return 4;
	return inet_pton(AF_INET6, name, ret) == 1 ? 16 : 0;
}

bool authority_valid_name(const char *name)
{
	unsigned char bytes[16];
	size_t len = strlen(name);
	if (address_bytes(name, bytes))
		return true;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool alnum =
			(c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!alnum && (i == 0 || !strchr(".-_", c)))
			return false;
	}
	return len > 0 && len <= AUTHORITY_NAME_MAX;
}

static void add_name(struct making *m, const char *name)
{
	unsigned char bytes[16];
	size_t len = address_bytes(name, bytes);
	if (len)
		step(m, gnutls_x509_crt_set_subject_alt_name(m->cert, GNUTLS_SAN_IPADDRESS, bytes,
							     (unsigned)len, GNUTLS_FSAN_APPEND));
	else
		step(m, gnutls_x509_crt_set_subject_alt_name(m->cert, GNUTLS_SAN_DNSNAME, name,
							     (unsigned)strlen(name),
							     GNUTLS_FSAN_APPEND));
}

/* --- certificates --- */

static void make_key(struct making *m)
{
	step(m, gnutls_x509_privkey_init(&m->key));
	if (m->e >= 0)
		step(m, gnutls_x509_privkey_generate(
				m->key, GNUTLS_PK_ECDSA,
				GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
}

/* What every certificate has: serial number, time, key, name. */
static void fill(struct making *m, const char *name)
{
	unsigned char serial[SERIAL_BYTES], id[KEY_ID_MAX];
	size_t id_len = sizeof(id);
	time_t now = (time_t)(clock_real_ns() / NUM_SEC_NS);
	step(m, gnutls_x509_crt_init(&m->cert));
	step(m, gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial)));
	if (m->e < 0)
		return;
	serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40); /* positive, and of full length */
	step(m, gnutls_x509_crt_set_version(m->cert, 3));
	step(m, gnutls_x509_crt_set_serial(m->cert, serial, sizeof(serial)));
	step(m, gnutls_x509_crt_set_activation_time(m->cert, now - DAY_S)); /* clocks differ */
	step(m, gnutls_x509_crt_set_expiration_time(m->cert, now + AUTHORITY_DAYS * DAY_S));
	step(m, gnutls_x509_crt_set_dn_by_oid(m->cert, GNUTLS_OID_X520_COMMON_NAME, 0, name,
					      (unsigned)strnlen(name, 64)));
	step(m, gnutls_x509_crt_set_key(m->cert, m->key));
	step(m, gnutls_x509_crt_get_key_id(m->cert, GNUTLS_KEYID_USE_SHA1, id, &id_len));
	step(m, gnutls_x509_crt_set_subject_key_id(m->cert, id, id_len));
}

/* Signs, and writes what is not there yet. */
static void sign(struct making *m, const struct making *by, struct authority_pair *pair)
{
	gnutls_datum_t cert = {NULL, 0}, key = {NULL, 0};
	if (m->e >= 0)
		step(m, gnutls_x509_crt_sign2(m->cert, by->cert, by->key, GNUTLS_DIG_SHA256, 0));
	if (m->e >= 0)
		step(m, gnutls_x509_crt_export2(m->cert, GNUTLS_X509_FMT_PEM, &cert));
	if (m->e >= 0 && pair->key.len == 0)
		step(m, gnutls_x509_privkey_export2_pkcs8(m->key, GNUTLS_X509_FMT_PEM, NULL,
							  GNUTLS_PKCS_PLAIN, &key));
	if (m->e >= 0 && (buf_add(&pair->cert, cert.data, cert.size) < 0 ||
			  buf_add(&pair->key, key.data, key.size) < 0))
		step(m, GNUTLS_E_MEMORY_ERROR);
	if (key.data)
		gnutls_memset(key.data, 0, key.size);
	gnutls_free(cert.data);
	gnutls_free(key.data);
}

static void making_free(struct making *m)
{
	if (m->cert)
		gnutls_x509_crt_deinit(m->cert);
	if (m->key)
		gnutls_x509_privkey_deinit(m->key);
}

int authority_make(const char *name, struct authority_pair *ret, struct conf_error *err)
{
	struct making m = {0};
	struct authority_pair pair = {BUF_EMPTY, BUF_EMPTY};
	make_key(&m);
	fill(&m, name);
	if (m.e >= 0) {
		step(&m, gnutls_x509_crt_set_basic_constraints(m.cert, 1, 0));
		step(&m, gnutls_x509_crt_set_key_usage(m.cert, GNUTLS_KEY_KEY_CERT_SIGN |
								       GNUTLS_KEY_CRL_SIGN));
	}
	sign(&m, &m, &pair);
	making_free(&m);
	int r = failed(&m, "the authority's certificate", err);
	if (r < 0)
		authority_pair_free(&pair);
	else
		*ret = pair;
	return r;
}

static void load(struct making *m, const struct buf *cert, const struct buf *key)
{
	gnutls_datum_t c = {(unsigned char *)cert->ptr, (unsigned)cert->len};
	gnutls_datum_t k = {(unsigned char *)key->ptr, (unsigned)key->len};
	if (cert->len) {
		step(m, gnutls_x509_crt_init(&m->cert));
		step(m, gnutls_x509_crt_import(m->cert, &c, GNUTLS_X509_FMT_PEM));
	}
	if (m->e >= 0) {
		step(m, gnutls_x509_privkey_init(&m->key));
		step(m, gnutls_x509_privkey_import2(m->key, &k, GNUTLS_X509_FMT_PEM, NULL, 0));
	}
}

static void set_issuer(struct making *m, const struct making *ca)
{
	unsigned char id[KEY_ID_MAX];
	size_t len = sizeof(id);
	step(m, gnutls_x509_crt_get_subject_key_id(ca->cert, id, &len, NULL));
	step(m, gnutls_x509_crt_set_authority_key_id(m->cert, id, len));
}

int authority_issue(const struct authority_pair *ca, const char *const *names, size_t n,
		    struct authority_pair *pair, struct conf_error *err)
{
	static const struct buf none;
	struct making by = {0}, m = {0};
	load(&by, &ca->cert, &ca->key);
	if (by.e >= 0 && pair->key.len)
		load(&m, &none, &pair->key);
	if (by.e < 0 || m.e < 0) {
		(void)snprintf(err->text, sizeof(err->text), "%s cannot be used: %s",
			       by.e < 0 ? "the authority's certificate or key" : "the server's key",
			       gnutls_strerror(by.e < 0 ? by.e : m.e));
		making_free(&by);
		making_free(&m);
		return -EINVAL;
	}
	if (!m.key)
		make_key(&m);
	fill(&m, names[0]);
	if (m.e >= 0) {
		for (size_t i = 0; i < n && i < AUTHORITY_NAMES; i++)
			add_name(&m, names[i]);
		step(&m, gnutls_x509_crt_set_basic_constraints(m.cert, 0, -1));
		step(&m, gnutls_x509_crt_set_key_usage(m.cert, GNUTLS_KEY_DIGITAL_SIGNATURE));
		step(&m, gnutls_x509_crt_set_key_purpose_oid(m.cert, GNUTLS_KP_TLS_WWW_SERVER, 0));
		set_issuer(&m, &by);
	}
	buf_clear(&pair->cert);
	sign(&m, &by, pair);
	making_free(&by);
	making_free(&m);
	return failed(&m, "the server's certificate", err);
}

/* The name as text; NULL: another kind of name, or no memory. */
static char *name_text(int kind, const char *bytes, size_t len)
{
	char address[INET6_ADDRSTRLEN];
	if (kind == GNUTLS_SAN_DNSNAME)
		return strndup(bytes, len);
	if (kind != GNUTLS_SAN_IPADDRESS || (len != 4 && len != 16) ||
	    !inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, address, sizeof(address)))
		return NULL;
	return strdup(address);
}

int authority_names(const struct buf *cert, char *ret[AUTHORITY_NAMES], size_t *ret_n)
{
	gnutls_x509_crt_t c;
	gnutls_datum_t pem = {(unsigned char *)cert->ptr, (unsigned)cert->len};
	if (gnutls_x509_crt_init(&c) < 0)
		return -ENOMEM;
	int r = gnutls_x509_crt_import(c, &pem, GNUTLS_X509_FMT_PEM) < 0 ? -EINVAL : 0;
	size_t n = 0;
	for (unsigned i = 0; r == 0 && n < AUTHORITY_NAMES; i++) {
		char bytes[AUTHORITY_NAME_MAX + 1];
		size_t len = sizeof(bytes);
		int kind = gnutls_x509_crt_get_subject_alt_name(c, i, bytes, &len, NULL);
		if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		ret[n] = kind < 0 ? NULL : name_text(kind, bytes, len);
		if (ret[n])
			n++;
	}
	gnutls_x509_crt_deinit(c);
	if (r == 0)
		*ret_n = n;
	return r;
}

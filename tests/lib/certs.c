/* Certificates for tests: see certs.h. */
#include "tests/lib/certs.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void good(int e)
{
	if (e < 0)
		(void)fprintf(stderr, "certs: %s\n", gnutls_strerror(e));
	assert(e >= 0);
}

static void set_names(gnutls_x509_crt_t cert, const struct certs_wish *wish)
{
	if (wish->common_name)
		good(gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0,
						   wish->common_name,
						   (unsigned)strlen(wish->common_name)));
	for (int i = 0; i < 4 && wish->dns[i]; i++)
		good(gnutls_x509_crt_set_subject_alt_name(
			cert, GNUTLS_SAN_DNSNAME, wish->dns[i], (unsigned)strlen(wish->dns[i]),
			i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET));
}

static void set_use(gnutls_x509_crt_t cert, const struct certs_wish *wish)
{
	static uint32_t last;
	uint32_t serial = ++last;
	time_t now = time(NULL);
	good(gnutls_x509_crt_set_version(cert, 3));
	good(gnutls_x509_crt_set_serial(cert, &serial, sizeof(serial)));
	good(gnutls_x509_crt_set_activation_time(cert,
						 wish->valid_from ? wish->valid_from : now - 3600));
	good(gnutls_x509_crt_set_expiration_time(cert,
						 wish->valid_to ? wish->valid_to : now + 3600));
	good(gnutls_x509_crt_set_basic_constraints(cert, wish->is_ca, -1));
	good(gnutls_x509_crt_set_key_usage(cert, wish->is_ca ? GNUTLS_KEY_KEY_CERT_SIGN
							     : GNUTLS_KEY_DIGITAL_SIGNATURE));
	if (wish->purpose_oid)
		good(gnutls_x509_crt_set_key_purpose_oid(cert, wish->purpose_oid, 0));
}

struct certs_pair certs_make(struct certs_wish wish, const struct certs_pair *ca)
{
	struct certs_pair p;
	good(gnutls_x509_privkey_init(&p.key));
	good(gnutls_x509_privkey_generate(p.key, GNUTLS_PK_ECDSA,
					  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	good(gnutls_x509_crt_init(&p.cert));
	good(gnutls_x509_crt_set_key(p.cert, p.key));
	set_names(p.cert, &wish);
	set_use(p.cert, &wish);
	good(gnutls_x509_crt_sign2(p.cert, ca ? ca->cert : p.cert, ca ? ca->key : p.key,
				   GNUTLS_DIG_SHA256, 0));
	return p;
}

void certs_free(struct certs_pair *p)
{
	gnutls_x509_crt_deinit(p->cert);
	gnutls_x509_privkey_deinit(p->key);
}

static void write_file(const char *path, const gnutls_datum_t *pem)
{
	FILE *f = fopen(path, "w");
	assert(f && fwrite(pem->data, 1, pem->size, f) == pem->size && fclose(f) == 0);
}

void certs_write(const struct certs_pair *p, const char *cert_path, const char *key_path)
{
	gnutls_datum_t pem;
	if (cert_path) {
		good(gnutls_x509_crt_export2(p->cert, GNUTLS_X509_FMT_PEM, &pem));
		write_file(cert_path, &pem);
		gnutls_free(pem.data);
	}
	if (key_path) {
		good(gnutls_x509_privkey_export2(p->key, GNUTLS_X509_FMT_PEM, &pem));
		write_file(key_path, &pem);
		gnutls_free(pem.data);
	}
}

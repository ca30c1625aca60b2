/* Certificates for tests, made anew each time: P-256 keys, written as PEM files. Asserts that it
 * works. */
#ifndef HAUL_TESTS_LIB_CERTS_H
#define HAUL_TESTS_LIB_CERTS_H

#include <gnutls/x509.h>
#include <stdbool.h>
#include <time.h>

struct certs_pair {
	gnutls_x509_crt_t cert;
	gnutls_x509_privkey_t key;
};

struct certs_wish {
	const char *common_name;     /* NULL: none */
	const char *dns[4];          /* alternative names, NULL at the end */
	const char *purpose_oid;     /* NULL: any */
	time_t valid_from, valid_to; /* 0: an hour ago, in an hour */
	bool is_ca;
};

/* Signed by `ca`; NULL: by itself. */
struct certs_pair certs_make(struct certs_wish wish, const struct certs_pair *ca);
void certs_free(struct certs_pair *p);

/* Either path may be NULL. */
void certs_write(const struct certs_pair *p, const char *cert_path, const char *key_path);

#endif

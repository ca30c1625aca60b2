/* The collector's TLS: certificate, key and the CA of client certificates, which may be replaced
 * while connections live. GnuTLS, the same library that the server uses.
 *
 * Each load makes a generation. Connections keep the one that they began with, so a generation is
 * freed only with the whole; loading unchanged files makes none.
 *
 * Threads: any. */
#ifndef HAUL_COLLECTOR_INGEST_TLS_H
#define HAUL_COLLECTOR_INGEST_TLS_H

#include "common/conf.h"
#include "common/name.h"

#include <gnutls/gnutls.h>
#include <stdint.h>

#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define TLS_NAMES_MAX  16 /* names of one certificate that are looked at */
#define TLS_PIN_MAX    64 /* "sha256//" and base64 with its NUL */

struct tls;

struct tls_files {
	const char *cert; /* PEM: the certificate and what it needs to be verified */
	const char *key;
	const char *client_ca; /* empty: clients are not asked for certificates */
};

/* Reads the files. Errors, with `err`: -errno of reading; -EINVAL when they are not what they
 * should be. */
int tls_new(struct tls_files files, struct tls **ret, struct conf_error *err) MUST_CHECK;
void tls_free(struct tls *t);

/* Reads them again, for connections to come; on an error all stays as it was. 1: changed, 0:
 * unchanged. */
int tls_reload(struct tls *t, struct tls_files files, struct conf_error *err) MUST_CHECK;

/* Grows with each change: what was found out about a peer before is to be found out anew. */
uint64_t tls_generation(struct tls *t);

bool tls_asks_clients(struct tls *t); /* client_ca is set */

/* The PEM texts as the server wants them at its start; they live as long as `t`. */
const char *tls_cert_pem(struct tls *t);
const char *tls_key_pem(struct tls *t);

/* Arms a session before its handshake. Errors: -EIO. */
int tls_prepare(struct tls *t, gnutls_session_t session) MUST_CHECK;

struct tls_names {
	size_t n;
	char name[TLS_NAMES_MAX][NAME_MAX_LEN + 1];
};

/* The host names of the peer's certificate, when it is one of the present CA's, valid now and meant
 * for clients: its DNS alternative names, or without any its common name. Names that cannot be a
 * host's are left out. -ENOENT when it showed none, -EACCES with a text when it is not good. */
int tls_peer_names(struct tls *t, gnutls_session_t session, struct tls_names *ret,
		   const char **ret_why) MUST_CHECK;

/* The pin of the collector's public key, sha256//BASE64, as agents and curl want it. */
int tls_pin(struct tls *t, char ret[TLS_PIN_MAX]) MUST_CHECK;

/* The same of a certificate in a file, without its key. Errors, with `err`: as tls_new. */
int tls_pin_of_file(const char *path, char ret[TLS_PIN_MAX], struct conf_error *err) MUST_CHECK;

#endif

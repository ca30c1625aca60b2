/* Socket addresses: see address.h. Called when the configuration is read and once a connection. */
#include "collector/ingest/address.h"

#include "common/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>

enum { PORT_MAX = 65535, HOST_TEXT_MAX = 255 };

/* Parts "HOST:PORT" and "[HOST]:PORT". */
static int split(const char *text, struct span *ret_host, uint64_t *ret_port, const char **ret_why)
{
	struct span all = span_trim(span_of(text));
	const char *colon = all.len ? memrchr(all.ptr, ':', all.len) : NULL;
	if (!colon) {
		*ret_why = "it must be ADDRESS:PORT";
		return -EINVAL;
	}
	struct span host = span_first(all, (size_t)(colon - all.ptr));
	struct span port = span_from(all, host.len + 1);
	if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
		host = span_first(span_from(host, 1), host.len - 2);
	} else if (span_find(host, ':') < host.len) {
		*ret_why = "an IPv6 address stands in brackets: [::1]:8514";
		return -EINVAL;
	}
	if (host.len == 0 || host.len > HOST_TEXT_MAX) {
		*ret_why = "the address before the colon is missing; all addresses are "
			   "0.0.0.0 or [::]";
		return -EINVAL;
	}
	if (num_parse_u64(port, ret_port) < 0 || *ret_port > PORT_MAX) {
		*ret_why = "the port must be a number from 0 to 65535";
		return -EINVAL;
	}
	*ret_host = host;
	return 0;
}

int address_check(const char *text, const char **ret_why)
{
	struct span host;
	uint64_t port;
	return split(text, &host, &port, ret_why);
}

int address_resolve(const char *text, struct sockaddr_storage *ret, const char **ret_why)
{
	struct span host;
	uint64_t port;
	int r = split(text, &host, &port, ret_why);
	if (r < 0)
		return r;
	char name[HOST_TEXT_MAX + 1], service[8];
	memcpy(name, host.ptr, host.len);
	name[host.len] = '\0';
	(void)snprintf(service, sizeof(service), "%u", (unsigned)port);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	int e = getaddrinfo(name, service, &hints, &found);
	if (e != 0) {
		*ret_why = gai_strerror(e);
		return -EADDRNOTAVAIL;
	}
	*ret = (struct sockaddr_storage){0};
	memcpy(ret, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

/* The address as 16 bytes, IPv4 mapped. False for any other family. */
static bool to_v6(const struct sockaddr *a, uint8_t ret[16])
{
	if (a->sa_family == AF_INET) {
		struct sockaddr_in v4;
		memcpy(&v4, a, sizeof(v4));
		memset(ret, 0, 10);
		ret[10] = ret[11] = 0xff;
		memcpy(ret + 12, &v4.sin_addr, 4);
		return true;
	}
	if (a->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;
		memcpy(&v6, a, sizeof(v6));
		memcpy(ret, &v6.sin6_addr, 16);
		return true;
	}
	return false;
}

static bool is_mapped(const uint8_t a[16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
	return memcmp(a, prefix, sizeof(prefix)) == 0;
}

bool address_is_loopback(const struct sockaddr *a)
{
	static const uint8_t v6_loopback[16] = {[15] = 1};
	uint8_t bytes[16];
	if (!to_v6(a, bytes))
		return false;
	return is_mapped(bytes) ? bytes[12] == 127 : memcmp(bytes, v6_loopback, 16) == 0;
}

bool address_same_host(const struct sockaddr *a, const struct sockaddr *b)
{
	uint8_t left[16], right[16];
	return to_v6(a, left) && to_v6(b, right) && memcmp(left, right, 16) == 0;
}

void address_peer_key(const struct sockaddr *a, uint8_t ret[16])
{
	if (!to_v6(a, ret))
		memset(ret, 0, 16);
	else if (!is_mapped(ret))
		memset(ret + 8, 0, 8);
}

uint16_t address_port(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;
		memcpy(&v6, a, sizeof(v6));
		return ntohs(v6.sin6_port);
	}
	struct sockaddr_in v4;
	memcpy(&v4, a, sizeof(v4));
	return ntohs(v4.sin_port);
}

socklen_t address_len(const struct sockaddr *a)
{
	return a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

void address_format(const struct sockaddr *a, char dst[ADDRESS_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (a->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;
		memcpy(&v6, a, sizeof(v6));
		(void)inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
		(void)snprintf(dst, ADDRESS_TEXT_MAX, "[%s]:%u", host, address_port(a));
		return;
	}
	struct sockaddr_in v4;
	memcpy(&v4, a, sizeof(v4));
	(void)inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
	(void)snprintf(dst, ADDRESS_TEXT_MAX, "%s:%u", host, address_port(a));
}

bool address_is_any(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)a)->sin6_addr);
	return ((const struct sockaddr_in *)a)->sin_addr.s_addr == htonl(INADDR_ANY);
}

void address_format_host(const struct sockaddr_storage *a, char dst[ADDRESS_TEXT_MAX])
{
	const void *bytes = a->ss_family == AF_INET6
				    ? (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr
				    : (const void *)&((const struct sockaddr_in *)a)->sin_addr;
	if (!inet_ntop(a->ss_family, bytes, dst, ADDRESS_TEXT_MAX))
		dst[0] = '\0';
}

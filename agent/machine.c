/* Which machine this is: see machine.h. Called at the agent's start and by join. */
#include "agent/machine.h"

#include "common/buf.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdio.h>

enum { ID_MAX = 256, ID_LEAST = 32 };

int machine_find(const char *other, char ret[MACHINE_LEN + 1])
{
	static const char salt[] = "haul-agent";
	struct buf id = BUF_EMPTY;
	uint8_t hash[32];
	int r = file_read(AT_FDCWD, "/etc/machine-id", ID_MAX, &id);
	if (r < 0 && r != -ENOENT && r != -EACCES && r != -EMSGSIZE)
		return r;
	if (id.len < ID_LEAST)
		buf_clear(&id);
	struct span what = id.len ? buf_span(&id) : span_of(other);
	ret[0] = '\0';
	if (what.len && gnutls_hmac_fast(GNUTLS_MAC_SHA256, salt, sizeof(salt) - 1, what.ptr,
					 what.len, hash) == 0)
		for (size_t i = 0; i < MACHINE_LEN / 2; i++)
			(void)snprintf(ret + 2 * i, 3, "%02x", hash[i]);
	buf_free(&id);
	return 0;
}

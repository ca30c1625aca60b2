/* The tokens file: see tokens.h. auth.c reads it, the program's `token` commands change it.
 *
 * The file's text is kept as people wrote it: a token is added as a line at its end, and revoking
 * leaves all other lines, comments too, as they stand. The directory is locked while it is changed,
 * so that two commands at once lose nothing; the reader needs no lock, for the file is replaced by
 * rename. A damaged file is never taken for an empty one. */
#include "collector/ingest/tokens.h"

#include "common/file.h"
#include "common/glob.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HASH_HEX = 64, SECRET_BYTES = TOKEN_SECRET_HEX / 2 };

/* --- reading --- */

bool tokens_valid_hosts(struct span hosts)
{
	if (hosts.len == 0 || hosts.len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < hosts.len; i++) {
		char c = hosts.ptr[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr("._-*?[!]", c))))
			return false;
	}
	return true;
}

static struct span take_field(struct span *line)
{
	*line = span_trim(*line);
	size_t len = 0;
	while (len < line->len && line->ptr[len] != ' ' && line->ptr[len] != '\t')
		len++;
	struct span field = span_first(*line, len);
	*line = span_from(*line, len);
	return field;
}

static int parse_hash(struct span s, uint8_t ret[32])
{
	if (s.len != HASH_HEX)
		return -EINVAL;
	for (size_t i = 0; i < 4; i++) {
		uint64_t part;
		if (num_parse_hex64(span_make(s.ptr + i * 16, 16), &part) < 0)
			return -EINVAL;
		for (size_t j = 0; j < 8; j++)
			ret[i * 8 + j] = (uint8_t)(part >> (56 - 8 * j));
	}
	return 0;
}

static int parse_line(struct span line, struct token *ret, const char **ret_why)
{
	struct span hosts = take_field(&line), salt = take_field(&line), hash = take_field(&line);
	if (!tokens_valid_hosts(hosts)) {
		*ret_why = "the first field must be a host name or a glob";
		return -EINVAL;
	}
	if (num_parse_hex64(salt, &ret->salt) < 0) {
		*ret_why = "the second field must be a salt: 16 hex digits";
		return -EINVAL;
	}
	if (parse_hash(hash, ret->hash) < 0) {
		*ret_why = "the third field must be a hash: 64 hex digits";
		return -EINVAL;
	}
	if (span_trim(line).len) {
		*ret_why = "there must be three fields: HOST-OR-GLOB SALT HASH";
		return -EINVAL;
	}
	memcpy(ret->hosts, hosts.ptr, hosts.len);
	ret->hosts[hosts.len] = '\0';
	return 0;
}

/* Takes the next line off, without its LF and a CR before it. */
static struct span take_line(struct span *text)
{
	size_t len = span_find(*text, '\n');
	struct span line = span_first(*text, len);
	*text = span_from(*text, len < text->len ? len + 1 : len);
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool is_comment(struct span line)
{
	line = span_trim(line);
	return line.len == 0 || line.ptr[0] == '#';
}

static int add_item(struct tokens *t, size_t *cap, const struct token *item)
{
	if (t->n == *cap) {
		size_t more = *cap ? *cap * 2 : 16;
		struct token *items = realloc(t->items, more * sizeof(*items));
		if (!items)
			return -ENOMEM;
		t->items = items;
		*cap = more;
	}
	t->items[t->n++] = *item;
	return 0;
}

int tokens_parse(struct span text, struct tokens *ret, size_t *ret_line, const char **ret_why)
{
	struct tokens t = {0};
	size_t cap = 0;
	int r = 0;
	*ret_line = 0;
	while (text.len && r == 0) {
		struct span line = take_line(&text);
		(*ret_line)++;
		if (is_comment(line))
			continue;
		struct token item = {0};
		r = parse_line(line, &item, ret_why);
		if (r == 0 && t.n == TOKENS_MAX) {
			*ret_why = "there are too many tokens";
			r = -EINVAL;
		}
		if (r == 0)
			r = add_item(&t, &cap, &item);
	}
	if (r < 0) {
		tokens_free(&t);
		return r;
	}
	*ret = t;
	return 0;
}

void tokens_free(struct tokens *t)
{
	free(t->items);
	*t = (struct tokens){0};
}

static int fail(struct conf_error *err, int r, const char *path)
{
	(void)snprintf(err->text, sizeof(err->text), "tokens file %s: %s", path, strerror(-r));
	return r;
}

static int parse_file(const char *path, struct span text, struct tokens *ret,
		      struct conf_error *err)
{
	size_t line;
	const char *why = NULL;
	int r = tokens_parse(text, ret, &line, &why);
	if (r == -EINVAL)
		(void)snprintf(err->text, sizeof(err->text), "%s:%zu: %s", path, line, why);
	else if (r < 0)
		(void)fail(err, r, path);
	return r;
}

int tokens_read(const char *path, struct tokens *ret, struct conf_error *err)
{
	struct buf text = BUF_EMPTY;
	int r = file_read(AT_FDCWD, path, TOKENS_FILE_MAX, &text);
	if (r == -ENOENT) {
		*ret = (struct tokens){0};
		r = 0;
	} else if (r < 0) {
		r = fail(err, r, path);
	} else {
		r = parse_file(path, buf_span(&text), ret, err);
	}
	buf_free(&text);
	return r;
}

/* --- checking --- */

static int hash_secret(struct span salt, struct span secret, uint8_t ret[32])
{
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, salt.ptr, salt.len, secret.ptr, secret.len,
				ret) < 0
		       ? -EIO
		       : 0;
}

const struct token *tokens_find(const struct tokens *t, struct span token)
{
	struct span prefix = SPAN_LITERAL(TOKEN_PREFIX);
	if (token.len != TOKEN_LEN || !span_starts_with(token, prefix))
		return NULL;
	struct span salt = span_make(token.ptr + prefix.len, TOKEN_SALT_HEX);
	struct span secret = span_make(salt.ptr + salt.len, TOKEN_SECRET_HEX);
	uint64_t number;
	uint8_t hash[32];
	if (num_parse_hex64(salt, &number) < 0 || hash_secret(salt, secret, hash) < 0)
		return NULL;
	for (size_t i = 0; i < t->n; i++)
		if (t->items[i].salt == number && gnutls_memcmp(t->items[i].hash, hash, 32) == 0)
			return &t->items[i];
	return NULL;
}

bool token_allows(const struct token *t, struct span host)
{
	char name[NAME_MAX_LEN + 1];
	if (host.len > NAME_MAX_LEN || memchr(host.ptr, '\0', host.len))
		return false;
	memcpy(name, host.ptr, host.len);
	name[host.len] = '\0';
	return glob_match_name(t->hosts, name);
}

/* --- changing --- */

/* Opens the directory of `path`, locked until the descriptor is closed. */
static int lock_directory(const char *path, int *ret_fd)
{
	const char *slash = strrchr(path, '/');
	char *dir =
		!slash ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (!dir)
		return -ENOMEM;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;
	free(dir);
	if (r == 0 && flock(fd, LOCK_EX) < 0) {
		r = -errno;
		(void)close(fd);
	}
	if (r == 0)
		*ret_fd = fd;
	return r;
}

/* Whose the file is to be: its owner's now; else, for root, that of `like`. */
static int keep_owner(int fd, int dirfd, const char *name, const char *like)
{
	struct stat st;
	if (fstatat(dirfd, name, &st, 0) == 0) {
		if (st.st_uid == geteuid() && st.st_gid == getegid())
			return 0;
	} else if (geteuid() != 0 || !like || stat(like, &st) < 0) {
		return 0;
	}
	return fchown(fd, st.st_uid, st.st_gid) < 0 ? -errno : 0;
}

/* file_replace would do but for the owner: root adds a token that the collector, another user, must
 * read, and there must be no moment in which it cannot. */
static int replace(int dirfd, const char *name, const char *like, struct span text)
{
	char temp[300];
	int len = snprintf(temp, sizeof(temp), ".%s.new", name);
	if (len < 0 || (size_t)len >= sizeof(temp))
		return -ENAMETOOLONG;
	(void)unlinkat(dirfd, temp, 0); /* left behind by a crash; we hold the lock */
	int fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int r = keep_owner(fd, dirfd, name, like);
	if (r == 0)
		r = file_write_all(fd, text);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	(void)close(fd);
	if (r == 0 && renameat(dirfd, temp, dirfd, name) < 0)
		r = -errno;
	if (r == 0)
		r = file_sync_dir(dirfd, ".");
	else
		(void)unlinkat(dirfd, temp, 0);
	return r;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static int new_line(const char *hosts, char ret_token[TOKEN_LEN + 1], struct buf *text)
{
	uint8_t random[TOKEN_SALT_HEX / 2 + SECRET_BYTES];
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	char *at = ret_token + sprintf(ret_token, "%s", TOKEN_PREFIX);
	for (size_t i = 0; i < sizeof(random); i++)
		at += sprintf(at, "%02x", random[i]);
	struct span salt = span_make(ret_token + sizeof(TOKEN_PREFIX) - 1, TOKEN_SALT_HEX);
	uint8_t hash[32];
	int r = hash_secret(salt, span_make(salt.ptr + salt.len, TOKEN_SECRET_HEX), hash);
	if (r == 0)
		r = buf_printf(text, "%s %.*s ", hosts, (int)salt.len, salt.ptr);
	for (size_t i = 0; i < sizeof(hash) && r == 0; i++)
		r = buf_printf(text, "%02x", hash[i]);
	return r < 0 ? r : buf_add_char(text, '\n');
}

static int add_token(int dirfd, const char *path, const char *hosts, const char *owner_like,
		     char ret_token[TOKEN_LEN + 1], struct conf_error *err)
{
	struct buf text = BUF_EMPTY;
	struct tokens old = {0};
	int r = file_read(dirfd, base_name(path), TOKENS_FILE_MAX, &text);
	if (r == -ENOENT)
		r = buf_add_str(&text,
				"# Who may send for which host. Changed by haul-collector token "
				"add and revoke.\n# HOST-OR-GLOB SALT HASH\n");
	if (r < 0) {
		r = fail(err, r, path);
		goto done;
	}
	/* A line behind a damaged one would be one that the collector does not see. */
	r = parse_file(path, buf_span(&text), &old, err);
	if (r < 0)
		goto done;
	if (text.len && text.ptr[text.len - 1] != '\n')
		r = buf_add_char(&text, '\n');
	if (r == 0)
		r = new_line(hosts, ret_token, &text);
	if (r == 0)
		r = replace(dirfd, base_name(path), owner_like, buf_span(&text));
	if (r < 0)
		r = fail(err, r, path);
done:
	tokens_free(&old);
	buf_free(&text);
	return r;
}

int tokens_add(const char *path, const char *hosts, const char *owner_like,
	       char ret_token[TOKEN_LEN + 1], struct conf_error *err)
{
	if (!tokens_valid_hosts(span_of(hosts))) {
		(void)snprintf(err->text, sizeof(err->text),
			       "%.128s: not a host name or a glob of host names", hosts);
		return -EINVAL;
	}
	int dirfd = -1;
	int r = lock_directory(path, &dirfd);
	if (r < 0)
		return fail(err, r, path);
	r = add_token(dirfd, path, hosts, owner_like, ret_token, err);
	(void)close(dirfd);
	return r;
}

/* Copies all lines but those of `hosts`. */
static int copy_others(struct span text, const char *hosts, struct buf *out, size_t *ret_count)
{
	size_t count = 0;
	while (text.len) {
		struct span whole = text, line = take_line(&text);
		whole = span_first(whole, whole.len - text.len);
		if (!is_comment(line) && span_is(take_field(&line), hosts)) {
			count++;
			continue;
		}
		int r = buf_add_span(out, whole);
		if (r < 0)
			return r;
	}
	*ret_count = count;
	return 0;
}

int tokens_revoke(const char *path, const char *hosts, size_t *ret_count, struct conf_error *err)
{
	struct buf text = BUF_EMPTY, rest = BUF_EMPTY;
	size_t count = 0;
	int dirfd = -1;
	int r = lock_directory(path, &dirfd);
	if (r == 0)
		r = file_read(dirfd, base_name(path), TOKENS_FILE_MAX, &text);
	if (r == -ENOENT)
		r = 0;
	if (r == 0)
		r = copy_others(buf_span(&text), hosts, &rest, &count);
	if (r == 0 && count)
		r = replace(dirfd, base_name(path), NULL, buf_span(&rest));
	file_close(&dirfd);
	buf_free(&text);
	buf_free(&rest);
	if (r < 0)
		return fail(err, r, path);
	*ret_count = count;
	return 0;
}

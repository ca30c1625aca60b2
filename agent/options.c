/* The option tables: the only place where an option of the agent is defined. Read by the
 * configuration reader, printed by `haul-agent check`, held against haul-agent.conf(5) by a
 * test. */
#include "agent/options.h"

#include "agent/input.h"
#include "agent/lines/classify.h"
#include "agent/lines/regex.h"
#include "agent/listener.h"
#include "common/name.h"
#include "common/num.h"
#include "common/uuid.h"

#include <errno.h>
#include <stddef.h>

#define AGENT(field)     offsetof(struct agent_options, field)
#define COLLECTOR(field) offsetof(struct collector_options, field)
#define INPUT(field)     offsetof(struct input_options, field)

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

/* --- values that can be wrong by themselves: said with the line they stand in --- */

static int check_host(const char *value, const char **ret_why)
{
	if (name_valid_host(span_of(value)))
		return 0;
	*ret_why = "a host name is a letter or digit and up to 127 letters, digits, '.', '_', '-'";
	return -EINVAL;
}

static int check_url(const char *value, const char **ret_why)
{
	struct span url = span_of(value);
	size_t scheme = span_starts_with(url, SPAN_LITERAL("http://"))    ? 7
			: span_starts_with(url, SPAN_LITERAL("https://")) ? 8
									  : 0;
	*ret_why = scheme ? "there is no host in this address"
			  : "an address begins with http:// or https://";
	return scheme && url.len > scheme && url.ptr[scheme] != '/' && url.ptr[scheme] != ':'
		       ? 0
		       : -EINVAL;
}

/* One key, or several parted by semicolons: 32 bytes in base64 each. */
static int check_pin(const char *value, const char **ret_why)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const struct span scheme = {"sha256//", 8};
	enum { DIGITS = 43 };
	struct span rest = span_of(value);
	*ret_why = "a pin is sha256// and 44 characters of base64";
	while (rest.len) {
		struct span pin = span_first(rest, span_find(rest, ';'));
		rest = span_from(rest, pin.len < rest.len ? pin.len + 1 : pin.len);
		if (!span_starts_with(pin, scheme) || pin.len != scheme.len + DIGITS + 1 ||
		    strspn(pin.ptr + scheme.len, digits) != DIGITS || pin.ptr[pin.len - 1] != '=')
			return -EINVAL;
	}
	return 0;
}

static int check_uuid(const char *value, const char **ret_why)
{
	*ret_why = "a uuid has 32 lower-case hex digits, parted by - into 8, 4, 4, 4 and 12";
	return uuid_is_valid(span_of(value)) ? 0 : -EINVAL;
}

/* What the makers say about a value goes into one text; the configuration is read by one thread. */
static char why_text[256];

static int check_regex(const char *value, const char **ret_why)
{
	struct regex *regex;
	int r = regex_new(value, &regex, why_text, sizeof(why_text));
	*ret_why = why_text;
	if (r == 0)
		regex_free(regex);
	return r;
}

static int check_multiline(const char *value, const char **ret_why)
{
	struct classifier *classifier;
	int r = classifier_new(value, &classifier, why_text, sizeof(why_text));
	*ret_why = why_text;
	if (r == 0)
		classifier_free(classifier);
	return r;
}

static int check_stamp(const char *timestamp, const char *timezone, const char **ret_why)
{
	struct stamp *stamp;
	int r = stamp_new(timestamp, timezone, &stamp, ret_why);
	if (r == 0)
		stamp_free(stamp);
	return r;
}

static int check_timestamp(const char *value, const char **ret_why)
{
	return check_stamp(value, "UTC", ret_why);
}

static int check_timezone(const char *value, const char **ret_why)
{
	return check_stamp("auto", value, ret_why);
}

/* --- the tables --- */

static const struct conf_option agent_section[] = {
	{.key = "host",
	 .type = CONF_STRING,
	 .offset = AGENT(host),
	 .check = check_host,
	 .help = "this host's name at the collector; empty: the short host name"},
	{.key = "state_dir",
	 .type = CONF_STRING,
	 .offset = AGENT(state_dir),
	 .default_text = "/var/lib/haul-agent",
	 .help = "where the registry is kept"},
	{.key = "listen",
	 .type = CONF_STRING,
	 .offset = AGENT(listen),
	 .default_text = "127.0.0.1:8515",
	 .check = listener_check,
	 .help = "address for status and metrics; empty: off"},
	{.key = "memory_limit",
	 .type = CONF_SIZE,
	 .offset = AGENT(memory_limit),
	 .default_text = "32M",
	 .min = 8 * MIB,
	 .max = 4096 * MIB,
	 .help = "memory that the agent may take; batches are sized by it"},
	{.key = "max_open_files",
	 .type = CONF_UINT,
	 .offset = AGENT(max_open_files),
	 .default_text = "1024",
	 .min = 8,
	 .max = 1000000,
	 .help = "files held open at a time; idle ones are closed beyond it"},
	{.key = "max_deleted",
	 .type = CONF_SIZE,
	 .offset = AGENT(max_deleted),
	 .default_text = "10G",
	 .help = "disk space of deleted files that are held open until the collector has them"},
};

static const struct conf_option collector_section[] = {
	{.key = "url",
	 .type = CONF_LIST,
	 .offset = COLLECTOR(urls),
	 .default_text = "http://127.0.0.1:8514",
	 .check = check_url,
	 .help = "address of the collector; several are tried in order"},
	{.key = "token_file",
	 .type = CONF_STRING,
	 .offset = COLLECTOR(token_file),
	 .help = "file with the token that the collector gave this host"},
	{.key = "ca_file",
	 .type = CONF_STRING,
	 .offset = COLLECTOR(ca_file),
	 .help = "certificates of authorities that the collector's one is checked "
		 "against"},
	{.key = "pin",
	 .type = CONF_STRING,
	 .offset = COLLECTOR(pin),
	 .check = check_pin,
	 .help = "sha256//... of the collector's public key"},
	{.key = "client_cert",
	 .type = CONF_STRING,
	 .offset = COLLECTOR(client_cert),
	 .help = "certificate that this host shows"},
	{.key = "client_key",
	 .type = CONF_STRING,
	 .offset = COLLECTOR(client_key),
	 .help = "its private key"},
	{.key = "uuid",
	 .type = CONF_STRING,
	 .offset = COLLECTOR(uuid),
	 .check = check_uuid,
	 .help = "the collector that this host belongs to; empty: the first that answered"},
	{.key = "batch_bytes",
	 .type = CONF_SIZE,
	 .offset = COLLECTOR(batch_bytes),
	 .default_text = "1M",
	 .min = 4 * KIB,
	 .max = 64 * MIB,
	 .help = "size of a batch before compression; grows with a backlog"},
	{.key = "batch_delay",
	 .type = CONF_DURATION,
	 .offset = COLLECTOR(batch_delay_ns),
	 .default_text = "250ms",
	 .max = 60 * (uint64_t)NUM_SEC_NS,
	 .help = "a line waits at most so long for others to share its batch"},
	{.key = "timeout",
	 .type = CONF_DURATION,
	 .offset = COLLECTOR(timeout_ns),
	 .default_text = "60s",
	 .min = (uint64_t)NUM_SEC_NS,
	 .max = 3600 * (uint64_t)NUM_SEC_NS,
	 .help = "a request without progress for so long is given up"},
	{.key = "max_rate",
	 .type = CONF_SIZE,
	 .offset = COLLECTOR(max_rate),
	 .help = "bytes a second to send at most, compressed; empty: no limit"},
	{.key = "failover",
	 .type = CONF_BOOL,
	 .offset = COLLECTOR(failover),
	 .default_text = "no",
	 .help = "yes: send to another collector too, at least once instead of exactly "
		 "once"},
};

static const char *const type_words[] = {"file", "docker", "cri", "podman", "journal", NULL};
static const char *const from_words[] = {"beginning", "end", NULL};

static const struct conf_option input_section[] = {
	{.key = "type",
	 .type = CONF_ENUM,
	 .offset = INPUT(type),
	 .words = type_words,
	 .default_text = "file",
	 .help = "what kind of log it is"},
	{.key = "path",
	 .type = CONF_LIST,
	 .offset = INPUT(paths),
	 .help = "globs of the files to follow; ** too"},
	{.key = "exclude",
	 .type = CONF_LIST,
	 .offset = INPUT(exclude),
	 .help = "globs of files not to follow"},
	{.key = "service",
	 .type = CONF_STRING,
	 .offset = INPUT(service),
	 .help = "service name, a template; empty: the type's own"},
	{.key = "from",
	 .type = CONF_ENUM,
	 .offset = INPUT(from),
	 .words = from_words,
	 .default_text = "beginning",
	 .help = "where to begin in files already there at the very first start"},
	{.key = "rotated_dir",
	 .type = CONF_STRING,
	 .offset = INPUT(rotated_dir),
	 .help = "where rotated files go, when not beside the file"},
	{.key = "remote",
	 .type = CONF_BOOL,
	 .offset = INPUT(remote),
	 .default_text = "no",
	 .help = "yes: the files may be on a network file system"},
	{.key = "multiline",
	 .type = CONF_STRING,
	 .offset = INPUT(multiline),
	 .default_text = "auto",
	 .check = check_multiline,
	 .help = "auto, off, head:REGEX or continuation:REGEX"},
	{.key = "timestamp",
	 .type = CONF_STRING,
	 .offset = INPUT(timestamp),
	 .default_text = "auto",
	 .check = check_timestamp,
	 .help = "auto, none, json:KEY or strptime:FORMAT"},
	{.key = "timezone",
	 .type = CONF_STRING,
	 .offset = INPUT(timezone),
	 .default_text = "local",
	 .check = check_timezone,
	 .help = "zone of timestamps that do not say: local, UTC, +HH:MM or a name"},
	{.key = "max_line",
	 .type = CONF_SIZE,
	 .offset = INPUT(max_line),
	 .default_text = "1M",
	 .min = 64,
	 .max = 64 * MIB,
	 .help = "longer lines are cut into pieces of this size"},
	{.key = "keep",
	 .type = CONF_STRINGS,
	 .offset = INPUT(keep),
	 .check = check_regex,
	 .help = "only lines that match are sent"},
	{.key = "drop",
	 .type = CONF_STRINGS,
	 .offset = INPUT(drop),
	 .check = check_regex,
	 .help = "lines that match are not sent"},
	{.key = "mask",
	 .type = CONF_STRINGS,
	 .offset = INPUT(mask),
	 .check = check_regex,
	 .help = "what matches, or its groups, leaves the host as ***"},
};

const struct conf_section options_sections[] = {
	{"agent", CONF_ONCE, agent_section, COUNT(agent_section), sizeof(struct agent_options)},
	{"collector", CONF_ONCE, collector_section, COUNT(collector_section),
	 sizeof(struct collector_options)},
	{"input", CONF_NAMED, input_section, COUNT(input_section), sizeof(struct input_options)},
};
const size_t options_n_sections = COUNT(options_sections);

int options_read(const char *file, struct conf **ret, struct conf_error *err)
{
	return conf_read(options_sections, options_n_sections, file ? file : OPTIONS_DEFAULT_FILE,
			 file == NULL, ret, err);
}

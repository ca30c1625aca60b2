/* Is a line an error? What trace shows in red and counts. */
#ifndef HAUL_COLLECTOR_QUERY_SEVERITY_H
#define HAUL_COLLECTOR_QUERY_SEVERITY_H

#include "common/field.h"

/* By the level that a JSON or key=value message gives (level, severity, lvl, log.level ...: error,
 * fatal, critical, panic, alert, emergency, and numbers as bunyan and syslog have them), else by
 * such a word in upper case near the beginning of the text. */
bool severity_is_error(struct span line, struct field_scratch *scratch);

#endif

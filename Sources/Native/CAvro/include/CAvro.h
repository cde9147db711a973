#pragma once
#include <stddef.h>

/// Takes one record of an Avro file as JSON; returns 0 to go on.
typedef int (*mw_avro_record)(const char *json, size_t length, void *context);

/// Hands over every record of an Avro object container file. Values of a union stand in an object under their type.
/// Returns 0, what `record` returned where that was not 0, or -1 with a reason in `reason` (always ended by a zero).
int mw_avro_read(const char *path, mw_avro_record record, void *context, char *reason, size_t size);

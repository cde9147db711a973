#include "CAvro.h"
#include <avro.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int mw_avro_read(const char *path, mw_avro_record record, void *context, char *reason, size_t size) {
    avro_file_reader_t reader = NULL;
    if (avro_file_reader(path, &reader)) {
        snprintf(reason, size, "%s", avro_strerror());
        return -1;
    }
    avro_schema_t schema = avro_file_reader_get_writer_schema(reader);
    avro_value_iface_t *iface = schema ? avro_generic_class_from_schema(schema) : NULL;
    avro_value_t value;
    int result = 0;
    if (!iface || avro_generic_value_new(iface, &value)) {
        snprintf(reason, size, "%s", avro_strerror());
        result = -1;
    } else {
        int status;
        while (result == 0 && (status = avro_file_reader_read_value(reader, &value)) == 0) {
            char *json = NULL;
            if (avro_value_to_json(&value, 1, &json) || !json) {
                snprintf(reason, size, "%s", avro_strerror());
                result = -1;
            } else {
                result = record(json, strlen(json), context);
            }
            free(json);
            avro_value_reset(&value);
        }
        if (result == 0 && status != EOF) {
            snprintf(reason, size, "%s", avro_strerror());
            result = -1;
        }
        avro_value_decref(&value);
    }
    if (iface) avro_value_iface_decref(iface);
    if (schema) avro_schema_decref(schema);
    avro_file_reader_close(reader);
    return result;
}

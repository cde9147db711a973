#include "CLightGBM.h"

#include <string.h>

enum { LOG_CAPACITY = 8192 };

static _Thread_local char log_text[LOG_CAPACITY];
static _Thread_local size_t log_length;
static _Thread_local int log_captured;

static void keep(const char *line) {
    size_t length = line ? strlen(line) : 0;
    if (length > LOG_CAPACITY) length = LOG_CAPACITY;
    if (log_length + length > LOG_CAPACITY) {
        // The newest lines explain a failure best, so the oldest make room.
        size_t drop = log_length + length - LOG_CAPACITY;
        memmove(log_text, log_text + drop, log_length - drop);
        log_length -= drop;
    }
    memcpy(log_text + log_length, line ? line : "", length);
    log_length += length;
}

void mw_lgbm_capture_log(void) {
    if (log_captured) return;
    log_captured = LGBM_RegisterLogCallback(keep) == 0;
}

size_t mw_lgbm_take_log(char *buffer, size_t capacity) {
    size_t length = log_length < capacity ? log_length : capacity;
    if (buffer && length) memcpy(buffer, log_text, length);
    log_length = 0;
    return buffer ? length : 0;
}

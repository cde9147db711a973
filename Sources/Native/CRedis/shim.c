#include "CRedis.h"

#include <hiredis/hiredis.h>

int mw_redis_protocol_version(void) { return HIREDIS_MAJOR * 10000 + HIREDIS_MINOR * 100 + HIREDIS_PATCH; }

#pragma once

/// The version of hiredis this was compiled against, such as 001401 for 0.14.1.
int mw_redis_protocol_version(void);

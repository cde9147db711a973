#include "CCurl.h"

#include <curl/curl.h>

const char *mw_curl_version(void) { return curl_version(); }

#pragma once

/// The version of the linked libcurl, such as `libcurl/7.88.1 OpenSSL/3.0.17`.
const char *mw_curl_version(void);

// Passwords as the users table keeps them: salted and slow to guess (PBKDF2 with HMAC-SHA-256, RFC 8018).
#pragma once

#include <string>
#include <string_view>

namespace kedge::lab {

// 16 random bytes in hexadecimal.
std::string new_salt();
// 256 random bits in hexadecimal: a session token.
std::string new_token();
// 64 hexadecimal digits; takes some milliseconds on purpose.
std::string hash_password(std::string_view password, std::string_view salt);
// Compares in a time that does not depend on where they differ.
bool is_same_secret(std::string_view a, std::string_view b);

}  // namespace kedge::lab

// The one file that touches libcrypto. DYNAMO_HAS_LIBCRYPTO is set for it alone.

#include "base/mac.h"

#if DYNAMO_HAS_LIBCRYPTO
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#endif

namespace dynamo::core {

#if DYNAMO_HAS_LIBCRYPTO

bool has_mac() { return true; }

std::optional<Mac> make_mac(std::string_view secret, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> whole{};
  unsigned int size = 0;
  // A null key would be the last one used.
  const char* key = secret.empty() ? "" : secret.data();
  const unsigned char* made =
      HMAC(EVP_sha256(), key, static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), whole.data(), &size);
  Mac mac{};
  if (made == nullptr || size < mac.size()) return std::nullopt;
  std::copy_n(whole.begin(), mac.size(), mac.begin());
  return mac;
}

#else

bool has_mac() { return false; }

std::optional<Mac> make_mac(std::string_view, std::string_view) { return std::nullopt; }

#endif

bool same_mac(const Mac& a, const Mac& b) {
  // Volatile, so that the compiler does not leave the loop early either.
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
  }
  return difference == 0;
}

}  // namespace dynamo::core

#include "replication/proof.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "replication/limits.h"
#include "storage/check.h"

namespace starling {
namespace {

void AppendNumber(std::string& text, uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) text.push_back(static_cast<char>(number >> shift));
}

void AppendText(std::string& text, std::string_view part) {
  AppendNumber(text, part.size());
  text.append(part);
}

void AppendHello(std::string& text, const Hello& hello) {
  AppendNumber(text, hello.protocol.current);
  AppendNumber(text, hello.protocol.minimum);
  AppendText(text, hello.cluster_name);
  AppendNumber(text, hello.cluster_id);
  AppendText(text, hello.node_name);
  AppendNumber(text, hello.incarnation);
  AppendNumber(text, hello.session);
  AppendText(text, hello.nonce);
  AppendText(text, hello.address);
}

}  // namespace

std::string MakeProof(std::string_view secret, LinkRole prover, const Hello& dialler,
                      const Hello& acceptor) {
  std::string text = "starling member proof 1";
  text.push_back(static_cast<char>(prover));
  AppendHello(text, dialler);
  AppendHello(text, acceptor);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  // An empty secret is a key too: a node with one and a node without then refuse each other.
  const char* key = secret.empty() ? "" : secret.data();
  const unsigned char* done =
      HMAC(EVP_sha256(), key, static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &size);
  STARLING_CHECK(done != nullptr && size == limits::kMacBytes);
  return std::string(reinterpret_cast<const char*>(mac), size);
}

bool SameProof(std::string_view expected, std::string_view shown) {
  return expected.size() == shown.size() &&
         CRYPTO_memcmp(expected.data(), shown.data(), expected.size()) == 0;
}

}  // namespace starling

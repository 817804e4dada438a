// A server with a thread for each connection, and its load generator, for plans/thread-per-connection.toml.
//
//   thread-per-connection serve PORT
//   thread-per-connection drive PORT CONNECTIONS [VISITS]
//
// A request is four bytes, a size; the answer is four bytes. The server keeps the last messages of each
// connection in a mailbox and frees it when the client leaves.

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/tcp.h>
#include <random>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::size_t mailbox_size = 400;
constexpr int requests_per_visit = 500;

[[noreturn]] void fail(const char *what)
{
    std::perror(what);
    std::exit(1);
}

sockaddr_in local(int port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
}

bool receive(int socket, std::uint32_t &value)
{
    return recv(socket, &value, sizeof value, MSG_WAITALL) == static_cast<ssize_t>(sizeof value);
}

void send_number(int socket, std::uint32_t value)
{
    if (send(socket, &value, sizeof value, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof value))
        value = 0; // the other end has left; the next receive tells
}

void be_quick(int socket)
{
    int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void attend(int socket)
{
    be_quick(socket);
    std::vector<std::string> mailbox(mailbox_size);
    std::uint32_t size = 0;
    for (std::size_t count = 0; receive(socket, size); count++) {
        std::string message(size % 16384 + 16, 'm');
        // Headers of a message: small objects between the large ones.
        std::vector<std::string> headers;
        for (int i = 0; i < 8; i++)
            headers.emplace_back(20 + (size >> i) % 60, 'h');
        for (const auto &header : headers)
            message += header;
        mailbox[count % mailbox_size] = std::move(message);
        send_number(socket, static_cast<std::uint32_t>(mailbox[count % mailbox_size].size()));
    }
    close(socket);
}

void serve(int port)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = local(port);
    if (bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 || listen(listener, 128) != 0)
        fail("failed to listen");
    for (;;) {
        int connection = accept(listener, nullptr, nullptr);
        if (connection >= 0)
            std::thread(attend, connection).detach();
    }
}

void visit(int port, unsigned seed, std::vector<double> &milliseconds)
{
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = local(port);
    if (connect(connection, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
        fail("failed to connect");
    be_quick(connection);
    std::mt19937 random(seed);
    for (int i = 0; i < requests_per_visit; i++) {
        auto start = std::chrono::steady_clock::now();
        std::uint32_t answer = 0;
        send_number(connection, static_cast<std::uint32_t>(random()));
        if (!receive(connection, answer) || answer == 0)
            fail("failed to get an answer");
        std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
        milliseconds.push_back(took.count());
    }
    close(connection);
}

void drive(int port, int connections, int visits)
{
    std::vector<std::vector<double>> latencies(static_cast<std::size_t>(connections));
    std::vector<std::thread> clients;
    auto start = std::chrono::steady_clock::now();
    for (int client = 0; client < connections; client++) {
        clients.emplace_back([=, &latencies] {
            for (int number = 0; number < visits; number++)
                visit(port, static_cast<unsigned>(client * visits + number),
                      latencies[static_cast<std::size_t>(client)]);
        });
    }
    for (auto &client : clients)
        client.join();
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::vector<double> all;
    for (const auto &some : latencies)
        all.insert(all.end(), some.begin(), some.end());
    std::sort(all.begin(), all.end());
    std::printf("requests_per_second %.3f\n", static_cast<double>(all.size()) / took.count());
    std::printf("p99_ms %.4f\n", all[all.size() * 99 / 100]);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc == 3 && std::strcmp(argv[1], "serve") == 0)
        serve(std::atoi(argv[2]));
    if ((argc == 4 || argc == 5) && std::strcmp(argv[1], "drive") == 0) {
        drive(std::atoi(argv[2]), std::atoi(argv[3]), argc == 5 ? std::atoi(argv[4]) : 6);
        return 0;
    }
    std::fprintf(stderr, "usage: thread-per-connection serve PORT | drive PORT CONNECTIONS [VISITS]\n");
    return 2;
}

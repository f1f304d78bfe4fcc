package io.vestibule.keycloak;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;

/** A bridge over real HTTP on port 0 that answers as it is told and remembers what it was asked. */
final class FakeBridge implements AutoCloseable {

    record Asked(String method, String path, String body, String requestId, String authorization, String contentType) {
    }

    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final AtomicReference<Asked> asked = new AtomicReference<>();

    private FakeBridge(HttpHandler answer) {
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        server.setExecutor(threads);
        server.createContext("/", exchange -> {
            asked.set(new Asked(exchange.getRequestMethod(), exchange.getRequestURI().toString(), new String(exchange.getRequestBody().readAllBytes()),
                    exchange.getRequestHeaders().getFirst("X-Request-Id"), exchange.getRequestHeaders().getFirst("Authorization"),
                    exchange.getRequestHeaders().getFirst("Content-Type")));
            answer.handle(exchange);
        });
        server.start();
    }

    static FakeBridge answering(int status, String body) {
        return new FakeBridge(exchange -> answer(exchange, status, body));
    }

    /** Answers 404 at every other path. */
    static FakeBridge knowing(String path, String body) {
        return new FakeBridge(exchange -> answer(exchange, path.equals(exchange.getRequestURI().getPath()) ? 200 : 404, body));
    }

    /** Sends headers, then a byte now and then, for ever. */
    static FakeBridge dripping(long millisBetweenBytes) {
        return new FakeBridge(exchange -> {
            exchange.sendResponseHeaders(200, 0);
            try {
                while (true) {
                    exchange.getResponseBody().write(' ');
                    exchange.getResponseBody().flush();
                    Thread.sleep(millisBetweenBytes);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
    }

    private static void answer(HttpExchange exchange, int status, String body) throws IOException {
        byte[] bytes = body.getBytes();
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    Asked asked() {
        return asked.get();
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}

package io.vestibule.keycloak;

import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.Map;

import jakarta.ws.rs.core.Cookie;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.MultivaluedHashMap;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.UriBuilder;
import jakarta.ws.rs.core.UriInfo;
import org.keycloak.cookie.CookieType;
import org.keycloak.http.HttpRequest;

/**
 * What work after an answer may still know of its request: its address and its language. Links and texts made from it
 * are those that the request itself would have made. It holds no cookie but the language's, and no form field.
 */
final class RequestMemory {

    private final URI base;
    private final URI address;
    private final URI path;
    private final MultivaluedMap<String, String> headers = new MultivaluedHashMap<>();
    private final List<Locale> languages;
    private final Map<String, Cookie> cookies;

    private RequestMemory(HttpRequest request) {
        UriInfo uri = request.getUri();
        HttpHeaders given = request.getHttpHeaders();
        base = uri.getBaseUri();
        address = uri.getRequestUri();
        path = uri.getAbsolutePath();
        for (String name : List.of(HttpHeaders.USER_AGENT, HttpHeaders.ACCEPT_LANGUAGE)) {
            List<String> values = given.getRequestHeader(name);
            if (values != null && !values.isEmpty()) {
                headers.put(name, List.copyOf(values));
            }
        }
        languages = List.copyOf(given.getAcceptableLanguages());
        Cookie language = given.getCookies().get(CookieType.LOCALE.getName());
        cookies = language == null ? Map.of() : Map.of(language.getName(), language);
    }

    /** Keycloak's own request, for a session that has none: newer Keycloaks ask it more than older ones. */
    static HttpRequest of(HttpRequest request) {
        RequestMemory memory = new RequestMemory(request);
        HttpHeaders headers = as(HttpHeaders.class, memory::header);
        UriInfo uri = as(UriInfo.class, memory::uri);
        return as(HttpRequest.class, (method, arguments) -> switch (method.getName()) {
            case "getHttpMethod" -> "POST";
            case "getHttpHeaders" -> headers;
            case "getUri" -> uri;
            case "getDecodedFormParameters", "getMultiPartFormParameters" -> new MultivaluedHashMap<>();
            case "isProxyTrusted" -> false;
            default -> throw over(method);
        });
    }

    private Object header(Method method, Object[] arguments) {
        return switch (method.getName()) {
            case "getRequestHeaders" -> headers;
            case "getRequestHeader" -> headers.entrySet().stream().filter(entry -> entry.getKey().equalsIgnoreCase((String) arguments[0]))
                    .findAny().map(Map.Entry::getValue).orElse(List.of());
            case "getHeaderString" -> headers.entrySet().stream().filter(entry -> entry.getKey().equalsIgnoreCase((String) arguments[0]))
                    .findAny().map(entry -> String.join(",", entry.getValue())).orElse(null);
            case "getAcceptableLanguages" -> languages;
            case "getCookies" -> cookies;
            default -> throw over(method);
        };
    }

    private Object uri(Method method, Object[] arguments) {
        return switch (method.getName()) {
            case "getBaseUri" -> base;
            case "getBaseUriBuilder" -> UriBuilder.fromUri(base);
            case "getRequestUri" -> address;
            case "getRequestUriBuilder" -> UriBuilder.fromUri(address);
            case "getAbsolutePath" -> path;
            case "getAbsolutePathBuilder" -> UriBuilder.fromUri(path);
            case "getPath" -> base.relativize(path).getPath();
            case "getQueryParameters", "getPathParameters" -> new MultivaluedHashMap<>();
            default -> throw over(method);
        };
    }

    private static IllegalStateException over(Method method) {
        return new IllegalStateException("The request is over, " + method.getName() + " is not remembered");
    }

    private static <T> T as(Class<T> type, Answers answers) {
        return type.cast(Proxy.newProxyInstance(RequestMemory.class.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) ->
                switch (method.getName()) {
                    case "toString" -> "remembered " + type.getSimpleName();
                    case "hashCode" -> System.identityHashCode(proxy);
                    case "equals" -> proxy == arguments[0];
                    default -> answers.to(method, arguments);
                }));
    }

    private interface Answers {

        Object to(Method method, Object[] arguments);
    }
}

FROM maven:3-eclipse-temurin-17 AS jar
WORKDIR /build
COPY keycloak/pom.xml keycloak/pom.xml
COPY keycloak/src keycloak/src
RUN mvn -q -B -f keycloak/pom.xml package -DskipTests

FROM keycloak/keycloak:26.7.4 AS build
ENV KC_DB=postgres KC_HEALTH_ENABLED=true KC_METRICS_ENABLED=true
COPY --from=jar /build/keycloak/target/vestibule-keycloak.jar /opt/keycloak/providers/
RUN /opt/keycloak/bin/kc.sh build

FROM keycloak/keycloak:26.7.4
COPY --from=build /opt/keycloak/ /opt/keycloak/
COPY realm-export.json /opt/keycloak/data/import/vestibule-realm.json
COPY docker/keycloak-entrypoint.sh /opt/vestibule/entrypoint.sh
ENTRYPOINT ["bash", "/opt/vestibule/entrypoint.sh"]
CMD ["start", "--optimized", "--import-realm"]

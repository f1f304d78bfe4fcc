FROM maven:3-eclipse-temurin-17 AS jar
WORKDIR /build
COPY keycloak/pom.xml keycloak/pom.xml
COPY keycloak/src/main keycloak/src/main
RUN mvn -q -B -f keycloak/pom.xml package -Dmaven.test.skip=true

FROM keycloak/keycloak:26.7.4 AS build
# Options of the build: changing one at start is refused.
ENV KC_DB=postgres KC_HEALTH_ENABLED=true KC_METRICS_ENABLED=true
COPY --from=jar /build/keycloak/target/vestibule-keycloak.jar /opt/keycloak/providers/
RUN /opt/keycloak/bin/kc.sh build

FROM keycloak/keycloak:26.7.4
COPY --from=build /opt/keycloak/ /opt/keycloak/
COPY realm-export.json /opt/keycloak/data/import/vestibule-realm.json
COPY docker/keycloak-entrypoint.sh docker/keycloak-health.sh /opt/vestibule/
ENTRYPOINT ["bash", "/opt/vestibule/keycloak-entrypoint.sh"]
CMD ["start", "--optimized", "--import-realm"]

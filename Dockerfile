# One image for every role of the two sites in docker-compose.yml; conf/docker/entrypoint.sh tells the roles apart.
FROM debian:bookworm-slim AS build
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        gcc libc6-dev cmake ninja-build pkg-config default-jdk-headless \
        libzookeeper-mt-dev librabbitmq-dev libssl-dev liblz4-dev libjansson-dev libzookeeper-java libslf4j-java \
    && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN cmake -S /src -B /build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DZS_TESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr \
    && cmake --build /build \
    && DESTDIR=/out cmake --install /build

FROM debian:bookworm-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        default-jre-headless libzookeeper-java libslf4j-java libservlet-api-java \
        rabbitmq-server librabbitmq4 liblz4-1 libjansson4 libzookeeper-mt2 openssl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home zoospan \
    && install -d -o zoospan -g zoospan -m 0700 /data /secrets
COPY --from=build /out /
COPY conf/docker/entrypoint.sh /usr/local/bin/zoospan-entrypoint
USER zoospan
ENTRYPOINT ["/usr/local/bin/zoospan-entrypoint"]

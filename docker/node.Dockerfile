# Bridge, proxy and the sample app: the same image, another command.
FROM node:24-slim
WORKDIR /vestibule
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=optional
COPY tsconfig.json products.yaml ./
COPY platform platform
COPY bridge bridge
COPY proxy proxy
COPY dev dev
ENV NODE_ENV=production
USER node
CMD ["node", "bridge/main.ts"]

FROM node:24-slim AS base
WORKDIR /vestibule
COPY package.json package-lock.json .npmrc ./

# Bridge and proxy: the same image, another command. Optional packages are the development stack's Postgres.
FROM base AS services
RUN npm ci --ignore-scripts --omit=dev --omit=optional
COPY products.yaml billing.yaml ./
COPY platform platform
COPY bridge bridge
COPY proxy proxy
ENV NODE_ENV=production
USER node
CMD ["node", "bridge/main.ts"]

# Mail catcher and sample app.
FROM base AS development
RUN npm ci --ignore-scripts --omit=optional
COPY dev dev
USER node
CMD ["node", "dev/app/main.ts"]

; test eval
; test plan target=x86-64-v4
; test text target=x86-64-v3
; test check

// A chain of pointwise nodes is one loop.
graph pointwise {
  %x = input : f32[3, 5]
  %b = weight : f32[5]
  %s = add %x, %b
  %a = abs %s
  %m = max %a, 0.25
  %y = sqrt %m
  return %y
}

; expect eval
;   60 flops
;   %y : f32[3, 5] = 0.58630 0.50000 1.36931 1.00778 0.96825 0.55902 … norm 3.48434

; expect plan target=x86-64-v4
;   plan pointwise {
;     %y = row [1, 15] reading %x, %b
;   }

; expect text target=x86-64-v3
;   // program pointwise: 1 kernel, 1 launch
;   //   0 row_1x15 blocks 3 (x, b, y)
;
;   // 32 statements, 0 bytes of scratch
;   kernel row_1x15 core lanes 8 grid [1, 3, 1] {
;     param in0 : f32[15]
;     param in1 : f32[5]
;     param out : f32[15]
;     v0 = id g0
;     v1 = const i64 1
;     v2 = add v0, v1
;     v3 = const i64 1
;     v4 = min v2, v3
;     v5 = id g1
;     for v6 in v0 .. v4 {
;       v7 = const i64 5
;       v8 = mul v5, v7
;       v9 = const i64 15
;       v10 = const i64 1
;       v11 = add v5, v10
;       v12 = const i64 3
;       v13 = min v11, v12
;       for v14 in v5 .. v13 {
;         v15 = const i64 0
;         v16 = const i64 5
;         v17 = const i64 5
;         v18 = mul v14, v17
;         v19 = add v18, v15
;         v20 : v.f32 = load in0[v19] first v16
;         v21 : v.f32 = load in1[v15] first v16
;         v22 = add v20, v21
;         v23 = abs v22
;         v24 = const f32 0.25
;         v25 = splat v24
;         v26 = max v25, v23
;         v27 = sqrt v26
;         v28 = const i64 5
;         v29 = mul v14, v28
;         v30 = add v29, v15
;         store v27, out[v30] first v16
;       }
;     }
;   }

; expect check
;   %y within 1e-5 of the reference
